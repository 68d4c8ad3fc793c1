#include "ctrl/store/kube_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 4096

static int append(struct kube_lines *l, const char *data, size_t len)
{
	if (len > KUBE_LINE_MAX - l->len)
		return -EMSGSIZE;
	size_t need = l->len + len + 1; // and a NUL
	if (need > l->size) {
		size_t size = l->size > 0 ? l->size : SIZE_FIRST;

		while (size < need)
			size *= 2;
		char *buf = realloc(l->buf, size);
		if (buf == NULL)
			return -ENOMEM;
		l->buf = buf;
		l->size = size;
	}
	if (len > 0)
		memcpy(l->buf + l->len, data, len);
	l->len += len;
	l->buf[l->len] = '\0';
	return 0;
}

int kube_lines_feed(struct kube_lines *l, char *data, size_t len,
	bool (*line)(void *arg, char *text, size_t len), void *arg)
{
	while (len > 0) {
		char *end = memchr(data, '\n', len);
		size_t n = end != NULL ? (size_t)(end - data) : len;
		bool more = true;

		if (end == NULL || l->len > 0) {
			int ret = append(l, data, n);
			if (ret < 0)
				return ret;
		}
		if (end == NULL)
			return 0;
		*end = '\0';
		l->n_lines++;
		if (l->len > 0) {
			// line may reset us: it gets a buffer that is nobody else's.
			char *text = l->buf;
			size_t text_len = l->len;

			l->buf = NULL;
			l->len = l->size = 0;
			more = line(arg, text, text_len);
			free(text);
		} else if (n > KUBE_LINE_MAX) {
			return -EMSGSIZE;
		} else if (n > 0) {
			more = line(arg, data, n);
		}
		if (!more)
			return -ECANCELED;
		data += n + 1;
		len -= n + 1;
	}
	return 0;
}

void kube_lines_reset(struct kube_lines *l)
{
	free(l->buf);
	*l = (struct kube_lines){0};
}
