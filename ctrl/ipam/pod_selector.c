// The grammar is that of k8s.io/apimachinery's labels.Parse, without the comparison of numbers.
#include "ctrl/ipam/pod_selector.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BLANKS " \t"
#define NO_WORD BLANKS ",()!=<>"
#define KEY_MAX 318 // prefix, slash and name

struct text { // borrowed
	const char *start;
	int len;
};

enum comparison {
	COMPARISON_EXISTS,
	COMPARISON_DOES_NOT_EXIST,
	COMPARISON_IN,
	COMPARISON_NOT_IN,
};

struct requirement {
	struct text key;
	enum comparison comparison;
	struct text values; // separated by commas
};

__attribute__((format(printf, 2, 3))) static bool refuse(
	char error[POD_SELECTOR_ERROR_MAX], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(error, POD_SELECTOR_ERROR_MAX, format, ap);
	va_end(ap);
	return false;
}

static void skip_blanks(const char **p)
{
	*p += strspn(*p, BLANKS);
}

static struct text take_word(const char **p)
{
	skip_blanks(p);
	struct text word = {*p, (int)strcspn(*p, NO_WORD)};
	*p += word.len;
	skip_blanks(p);
	return word;
}

static bool is_word(struct text word, const char *text)
{
	return strlen(text) == (size_t)word.len && strncmp(word.start, text, strlen(text)) == 0;
}

// After "in" and "notin".
static bool take_list(const char **p, struct requirement *r, char error[POD_SELECTOR_ERROR_MAX])
{
	if (**p != '(')
		return refuse(error, "the values of '%.*s' must stand in brackets", r->key.len,
			r->key.start);
	++*p;
	r->values = (struct text){*p, (int)strcspn(*p, "()!=<>")};
	*p += r->values.len;
	if (**p != ')')
		return refuse(error, "the values of '%.*s' have no end", r->key.len, r->key.start);
	++*p;
	return true;
}

// Also what follows it: the values.
static bool take_operator(const char **p, struct requirement *r, char error[POD_SELECTOR_ERROR_MAX])
{
	struct text word = take_word(p);

	if (word.len == 0 && (**p == '\0' || **p == ',')) {
		r->comparison = COMPARISON_EXISTS;
		return true;
	}
	if (word.len == 0) {
		word = (struct text){*p, (int)strspn(*p, "!=<>()")};
		*p += word.len;
	}
	r->comparison =
		is_word(word, "notin") || is_word(word, "!=") ? COMPARISON_NOT_IN : COMPARISON_IN;
	if (is_word(word, "in") || is_word(word, "notin"))
		return take_list(p, r, error);
	if (!is_word(word, "=") && !is_word(word, "==") && !is_word(word, "!="))
		return refuse(error, "\"%.*s\" is not a valid pod selector operator", word.len,
			word.start);
	r->values = take_word(p);
	return true;
}

static bool take_requirement(
	const char **p, struct requirement *r, char error[POD_SELECTOR_ERROR_MAX])
{
	skip_blanks(p);
	bool negated = **p == '!';
	*p += negated;
	r->key = take_word(p);
	if (r->key.len == 0 || r->key.len >= KEY_MAX)
		return refuse(error, "a key is missing, or too long, before '%.64s'", *p);
	if (negated)
		r->comparison = COMPARISON_DOES_NOT_EXIST;
	else if (!take_operator(p, r, error))
		return false;
	skip_blanks(p);
	if (**p != '\0' && **p != ',')
		return refuse(error, "a comma is missing before '%.64s'", *p);
	return true;
}

static bool has_value(const struct requirement *r, const char *value)
{
	const char *end = r->values.start + r->values.len;

	for (const char *p = r->values.start; p <= end; p++) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		struct text word = take_word(&p);

		if (is_word(word, value))
			return true;
		p = comma != NULL ? comma : end;
	}
	return false;
}

static bool is_met(const struct requirement *r, const struct key_values *labels)
{
	char key[KEY_MAX];

	(void)snprintf(key, sizeof(key), "%.*s", r->key.len, r->key.start);
	const char *value = key_values_get(labels, key);
	switch (r->comparison) {
	case COMPARISON_EXISTS:
		return value != NULL;
	case COMPARISON_DOES_NOT_EXIST:
		return value == NULL;
	case COMPARISON_IN:
		return value != NULL && has_value(r, value);
	case COMPARISON_NOT_IN:
		return value == NULL || !has_value(r, value);
	}
	return false;
}

// labels NULL: only reads.
static bool walk(
	const char *selector, const struct key_values *labels, char error[POD_SELECTOR_ERROR_MAX])
{
	struct requirement r = {0};

	if (selector == NULL || selector[strspn(selector, BLANKS)] == '\0')
		return true;
	for (const char *p = selector;; p++) {
		if (!take_requirement(&p, &r, error))
			return false;
		if (labels != NULL && !is_met(&r, labels))
			return false;
		if (*p == '\0')
			return true;
	}
}

bool pod_selector_check(const char *selector, char error[POD_SELECTOR_ERROR_MAX])
{
	return walk(selector, NULL, error);
}

bool pod_selector_matches(const char *selector, const struct key_values *labels)
{
	char error[POD_SELECTOR_ERROR_MAX];

	return walk(selector, labels, error);
}
