// Takes a list's answer apart without parsing it: its items as text, to be parsed one at a time, so that a
// page of 500 objects costs the memory of one. What fills a third of an item and nobody reads
// (metadata.managedFields) is blanked on the way. Pure.
#pragma once

#include <stddef.h>

#include <cjson/cJSON.h>

#define KUBE_PAGE_ITEMS_MAX 10000 // we ask for 500

struct kube_page_item {
	char *text; // within the answer; not NUL-terminated
	size_t len;
};

struct kube_page {
	cJSON *list; // owned; the answer with no items
	struct kube_page_item *item; // owned
	size_t n;
};

// text is written to, and items point into it. An item may still turn out not to be JSON. 0; -EPROTO if
// it is no list; -E2BIG; -ENOMEM.
int kube_page_split(char *text, size_t len, struct kube_page *ret_page);
void kube_page_fini(struct kube_page *p);
