// Splits a watch's stream into lines, as it arrives in chunks of any size. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Longest line: an object is at most 1.5 MiB in etcd, and may be there twice with its escapes.
#define KUBE_LINE_MAX (8 * 1024 * 1024)

struct kube_lines {
	char *buf; // owned; the beginning of a line that has not come to its end
	size_t len, size;
	size_t n_lines; // that were complete
};

// Calls line for each line that is complete, NUL-terminated in place and without its end; false
// from it stops. 0; -EMSGSIZE if a line is too long; -ENOMEM; -ECANCELED if line said so.
// data is written to.
int kube_lines_feed(struct kube_lines *l, char *data, size_t len,
	bool (*line)(void *arg, char *text, size_t len), void *arg);
static inline bool kube_lines_pending(const struct kube_lines *l)
{
	return l->len > 0;
}
// Forgets the beginning of a line, and all else.
void kube_lines_reset(struct kube_lines *l);
