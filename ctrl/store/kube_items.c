#include "ctrl/store/kube_items.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 4096
#define ITEMS_KEY "\"items\""

static int append(struct kube_text *t, const char *data, size_t len, size_t max)
{
	if (len > max - t->len)
		return -EMSGSIZE;
	if (t->len + len > t->size) {
		size_t size = t->size > 0 ? t->size : SIZE_FIRST;

		while (size < t->len + len)
			size *= 2;
		char *buf = realloc(t->buf, size);
		if (buf == NULL)
			return -ENOMEM;
		t->buf = buf;
		t->size = size;
	}
	memcpy(t->buf + t->len, data, len);
	t->len += len;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Within a string: whether that is its last character.
static bool ends_string(struct kube_items *l, char c)
{
	if (l->escaped)
		l->escaped = false;
	else if (c == '\\')
		l->escaped = true;
	else if (c == '"')
		l->in_string = false;
	return !l->in_string;
}

// ── Around the items ───────────────────────────────────────────────────────────────────────────

static bool is_items_key(const struct kube_items *l)
{
	return l->depth == 1 && l->valued && l->key_len == strlen(ITEMS_KEY) &&
	       memcmp(l->rest.buf + l->key, ITEMS_KEY, l->key_len) == 0;
}

static void open_bracket(struct kube_items *l, char c)
{
	if (c == '[' && is_items_key(l) && !l->found) {
		l->found = true;
		l->state = ITEMS_FIRST;
	} else {
		l->depth++;
	}
}

// One character that is in rest already.
static int take_around(struct kube_items *l, char c)
{
	if (l->in_string) {
		if (ends_string(l, c) && l->depth == 1 && !l->valued)
			l->key_len = l->rest.len - l->key;
		return 0;
	}
	switch (c) {
	case '"':
		l->in_string = true;
		if (l->depth == 1 && !l->valued) {
			l->key = l->rest.len - 1;
			l->key_len = 0;
		}
		break;
	case ':':
		l->valued |= l->depth == 1;
		break;
	case ',':
		l->valued &= l->depth != 1;
		break;
	case '{':
	case '[':
		open_bracket(l, c);
		break;
	case '}':
	case ']':
		if (l->depth == 0)
			return -EPROTO;
		l->depth--;
		break;
	default:
		break;
	}
	return 0;
}

// ── The items ──────────────────────────────────────────────────────────────────────────────────

// Between items. *ret_begins: that was the first character of one.
static int take_between(struct kube_items *l, char c, bool *ret_begins)
{
	*ret_begins = false;
	if (is_blank(c))
		return 0;
	if (c == ']' && l->state != ITEMS_MORE) {
		l->state = ITEMS_AROUND;
		return append(&l->rest, "]", 1, KUBE_ITEMS_REST_MAX);
	}
	if (c == ',' && l->state == ITEMS_AFTER) {
		l->state = ITEMS_MORE;
		return 0;
	}
	if (c != '{' || l->state == ITEMS_AFTER)
		return -EPROTO;
	*ret_begins = true;
	l->state = ITEMS_WITHIN;
	return 0;
}

// How many of these bytes belong to the item that has begun; its state is ITEMS_AFTER if that is its end.
// Around it the depth is 1, that of the list. Which kind of bracket closes which is for the parser to say.
static size_t span_within(struct kube_items *l, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = data[i];

		if (l->in_string) {
			(void)ends_string(l, c);
		} else if (c == '"') {
			l->in_string = true;
		} else if (c == '{' || c == '[') {
			l->depth++;
		} else if ((c == '}' || c == ']') && --l->depth == 1) {
			l->state = ITEMS_AFTER;
			return i + 1;
		}
	}
	return len;
}

// The next bytes of an item, of which *ret_n are its.
static int take_within(struct kube_items *l, char *data, size_t len, size_t *ret_n,
	bool (*item)(void *arg, char *text, size_t len), void *arg)
{
	size_t n = span_within(l, data, len);
	bool whole = l->state == ITEMS_AFTER, more;

	*ret_n = n;
	if (!whole || l->item.len > 0) {
		int ret = append(&l->item, data, n, KUBE_ITEM_MAX);
		if (ret < 0 || !whole)
			return ret;
		// The buffer stays for the next one that is in two chunks.
		size_t item_len = l->item.len;
		l->item.len = 0;
		more = item(arg, l->item.buf, item_len);
	} else {
		more = item(arg, data, n);
	}
	return more ? 0 : -ECANCELED;
}

int kube_items_feed(struct kube_items *l, char *data, size_t len,
	bool (*item)(void *arg, char *text, size_t len), void *arg)
{
	size_t at = 0, n = 0;
	int ret = 0;

	while (ret == 0 && at < len) {
		bool begins = false;

		if (l->state == ITEMS_WITHIN) {
			ret = take_within(l, data + at, len - at, &n, item, arg);
			at += n;
		} else if (l->state == ITEMS_AROUND) {
			ret = append(&l->rest, data + at, 1, KUBE_ITEMS_REST_MAX);
			if (ret == 0)
				ret = take_around(l, data[at]);
			at++;
		} else {
			ret = take_between(l, data[at], &begins);
			at += !begins; // the item's own bracket is counted within
		}
	}
	return ret;
}

// ── The end ────────────────────────────────────────────────────────────────────────────────────

int kube_items_end(const struct kube_items *l, cJSON **ret_list)
{
	if (l->state != ITEMS_AROUND || l->depth != 0 || l->rest.len == 0)
		return -EPROTO;
	cJSON *list = cJSON_ParseWithLength(l->rest.buf, l->rest.len);
	const cJSON *items = cJSON_GetObjectItemCaseSensitive(list, "items");
	// Go writes a list of none as null.
	if (!l->found && !cJSON_IsNull(items)) {
		cJSON_Delete(list);
		return -EPROTO;
	}
	if (list == NULL)
		return -EPROTO;
	*ret_list = list;
	return 0;
}

void kube_items_reset(struct kube_items *l)
{
	free(l->item.buf);
	free(l->rest.buf);
	*l = (struct kube_items){0};
}
