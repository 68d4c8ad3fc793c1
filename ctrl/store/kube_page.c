#include "ctrl/store/kube_page.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// Where the scan is; at NULL it has failed.
struct scan {
	char *at, *end;
};

struct span {
	char *text;
	size_t len;
};

static bool fail(struct scan *s)
{
	s->at = NULL;
	return false;
}

static void skip_blanks(struct scan *s)
{
	while (s->at < s->end &&
		(*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

// At a quote: goes past the string.
static bool skip_string(struct scan *s)
{
	for (char *c = s->at + 1; c < s->end; c++) {
		if (*c == '\\') {
			c++;
		} else if (*c == '"') {
			s->at = c + 1;
			return true;
		}
	}
	return fail(s);
}

// At a bracket: goes past the one that closes it. Which kind closes which is for the parser to say.
static bool skip_nested(struct scan *s)
{
	size_t depth = 0;

	while (s->at < s->end) {
		switch (*s->at) {
		case '"':
			if (!skip_string(s))
				return false;
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			depth--;
			break;
		default:
			break;
		}
		s->at++;
		if (depth == 0)
			return true;
	}
	return fail(s);
}

static bool skip_value(struct scan *s, struct span *ret_span)
{
	skip_blanks(s);
	if (s->at == s->end)
		return fail(s);
	char *begin = s->at;
	bool good = true;
	if (*begin == '"')
		good = skip_string(s);
	else if (*begin == '{' || *begin == '[')
		good = skip_nested(s);
	else
		while (s->at < s->end && strchr(",]} \t\r\n", *s->at) == NULL)
			s->at++;
	if (!good || s->at == begin)
		return fail(s);
	ret_span->text = begin;
	ret_span->len = (size_t)(s->at - begin);
	return true;
}

// Within an array or object: goes to the next element, false at its end or upon an error.
static bool next_element(struct scan *s, bool first)
{
	skip_blanks(s);
	if (s->at == s->end)
		return fail(s);
	if (*s->at == ']' || *s->at == '}') {
		s->at++;
		return false;
	}
	if (first)
		return true;
	if (*s->at != ',')
		return fail(s);
	s->at++;
	skip_blanks(s);
	return true;
}

static bool next_member(struct scan *s, bool first, struct span *ret_key, struct span *ret_value)
{
	if (!next_element(s, first))
		return false;
	if (s->at == s->end || *s->at != '"' || !skip_value(s, ret_key))
		return fail(s);
	skip_blanks(s);
	if (s->at == s->end || *s->at != ':')
		return fail(s);
	s->at++;
	return skip_value(s, ret_value);
}

static bool is_key(const struct span *key, const char *quoted)
{
	return key->len == strlen(quoted) && memcmp(key->text, quoted, key->len) == 0;
}

// The value of an object's member; false if it has none.
static bool member(const struct span *object, const char *quoted, struct span *ret_value)
{
	struct scan s = {.at = object->text + 1, .end = object->text + object->len};
	struct span key;

	if (object->text[0] != '{')
		return false;
	for (bool first = true; next_member(&s, first, &key, ret_value); first = false) {
		if (is_key(&key, quoted))
			return true;
	}
	return false;
}

static void blank_managed_fields(const struct span *item)
{
	struct span meta, fields;

	if (!member(item, "\"metadata\"", &meta) || !member(&meta, "\"managedFields\"", &fields))
		return;
	memset(fields.text, ' ', fields.len);
	fields.text[0] = '0';
}

static int add_item(struct kube_page *p, size_t *max, const struct span *item)
{
	if (p->n == KUBE_PAGE_ITEMS_MAX)
		return -E2BIG;
	if (p->n == *max) {
		size_t more = *max > 0 ? 2 * *max : 512;
		struct kube_page_item *items = reallocarray(p->item, more, sizeof(*items));

		if (items == NULL)
			return -ENOMEM;
		p->item = items;
		*max = more;
	}
	p->item[p->n++] = (struct kube_page_item){.text = item->text, .len = item->len};
	return 0;
}

static int split_items(const struct span *array, struct kube_page *p)
{
	struct scan s = {.at = array->text + 1, .end = array->text + array->len};
	struct span item;
	size_t max = 0;
	int ret = 0;

	for (bool first = true; ret == 0 && next_element(&s, first); first = false) {
		if (!skip_value(&s, &item))
			break;
		blank_managed_fields(&item);
		ret = add_item(p, &max, &item);
	}
	return ret < 0 ? ret : s.at == NULL ? -EPROTO : 0;
}

// The answer as JSON, with an empty array for its items.
static cJSON *parse_rest(const char *text, size_t len, const struct span *items)
{
	size_t before = (size_t)(items->text - text), after = len - before - items->len;
	char *rest = malloc(before + 2 + after);

	if (rest == NULL)
		return NULL;
	memcpy(rest, text, before);
	memcpy(rest + before, "[]", 2);
	memcpy(rest + before + 2, items->text + items->len, after);
	cJSON *list = cJSON_ParseWithLength(rest, before + 2 + after);
	free(rest);
	return list;
}

int kube_page_split(char *text, size_t len, struct kube_page *ret_page)
{
	struct scan s = {.at = text, .end = text + len};
	struct span whole, items;
	struct kube_page p = {0};
	int ret = 0;

	if (!skip_value(&s, &whole) || !member(&whole, "\"items\"", &items))
		return -EPROTO;
	if (items.text[0] == '[')
		ret = split_items(&items, &p);
	else if (!is_key(&items, "null")) // how Go writes a list of none
		return -EPROTO;
	if (ret == 0) {
		p.list = parse_rest(text, len, &items);
		ret = p.list != NULL ? 0 : -EPROTO;
	}
	if (ret < 0)
		kube_page_fini(&p);
	else
		*ret_page = p;
	return ret;
}

void kube_page_fini(struct kube_page *p)
{
	cJSON_Delete(p->list);
	free(p->item);
	*p = (struct kube_page){0};
}
