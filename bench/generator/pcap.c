#include "pcap.h"

#include <errno.h>
#include <stdio.h>

#define MAGIC_MICROSECONDS 0xa1b2c3d4
#define MAGIC_NANOSECONDS 0xa1b23c4d
#define LINK_ETHERNET 1

struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snapshot_len, link;
};

struct record_header {
	uint32_t seconds, fraction, captured, len;
};

static int read_frames(FILE *f, int (*each)(void *, const struct pcap_frame *), void *arg)
{
	uint8_t data[PCAP_FRAME_MAX];
	struct record_header r;

	while (fread(&r, sizeof(r), 1, f) == 1) {
		int ret = 0;

		if (r.captured > sizeof(data) || r.captured < r.len) {
			if (fseek(f, r.captured, SEEK_CUR) < 0)
				return -errno;
			continue;
		}
		if (fread(data, 1, r.captured, f) != r.captured)
			return -EINVAL;
		struct pcap_frame frame = {.data = data, .len = (uint16_t)r.captured};
		ret = each(arg, &frame);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int pcap_read(const char *path, int (*each)(void *arg, const struct pcap_frame *f), void *arg)
{
	struct file_header h;
	FILE *f = fopen(path, "rb");
	int ret = -EINVAL;

	if (f == NULL)
		return -errno;
	if (fread(&h, sizeof(h), 1, f) == 1 && h.link == LINK_ETHERNET &&
		(h.magic == MAGIC_MICROSECONDS || h.magic == MAGIC_NANOSECONDS))
		ret = read_frames(f, each, arg);
	(void)fclose(f);
	return ret;
}
