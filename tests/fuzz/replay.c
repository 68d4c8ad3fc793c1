// Runs a fuzz target on every file of a corpus, without libFuzzer: what once crashed stays fixed.
//   replay_TARGET CORPUS-FOLDER
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A copy of just its size, so that a sanitizer sees a read past the end.
static int replay(const char *folder, const char *name)
{
	static uint8_t buf[INPUT_MAX];
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return -errno;
	size_t size = fread(buf, 1, sizeof(buf), f);
	(void)fclose(f);
	uint8_t *data = malloc(size + (size == 0));
	if (data == NULL)
		return -ENOMEM;
	memcpy(data, buf, size);
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	const struct dirent *entry;
	int n = 0;

	if (dir == NULL) {
		(void)fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (replay(argv[1], entry->d_name) < 0) {
			(void)fprintf(stderr, "cannot read '%s'\n", entry->d_name);
			return 1;
		}
		n++;
	}
	(void)closedir(dir);
	(void)printf("%d inputs\n", n);
	return n > 0 ? 0 : 1;
}
