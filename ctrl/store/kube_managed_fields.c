#include "ctrl/store/kube_managed_fields.h"

#include <stdbool.h>
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

void kube_blank_managed_fields(char *text, size_t len)
{
	const struct span item = {.text = text, .len = len};
	struct span meta, fields;

	if (len == 0 || !member(&item, "\"metadata\"", &meta) ||
		!member(&meta, "\"managedFields\"", &fields))
		return;
	memset(fields.text, ' ', fields.len);
	fields.text[0] = '0';
}
