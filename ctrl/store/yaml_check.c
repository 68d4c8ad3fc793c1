// What must not get as far as libfyaml 0.7.12: it does not come back from a directive with a broken
// UTF-8 sequence in it, and looks ahead in time that is quadratic in a line's length and in the
// number of open brackets (21 s for a MiB of them).
#include "ctrl/store/yaml_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// Open at a time. Brackets in strings and comments count as well. Closing ones there can hide open
// ones, but with so much text in between that a MiB of them costs less than a second.
#define BRACKETS_MAX 1000

// How far the check is.
struct place {
	size_t pos; // bytes
	size_t line_pos; // where the line begins
	unsigned int line, column; // characters, from 0
	int brackets;
};

static bool is_ascii_allowed(uint8_t c)
{
	return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c != 0x7f);
}

// The length of the UTF-8 sequence at p, 0 if there is none or it is a character that YAML forbids.
static size_t utf8_len(const uint8_t *p, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	if (p[0] < 0x80)
		return is_ascii_allowed(p[0]) ? 1 : 0;
	size_t len = p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
	if (len == 0 || len > left)
		return 0;
	uint32_t c = p[0] & (0xffU >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	bool good = c >= least[len] && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
	return good ? len : 0;
}

// Goes past the character at p, of len bytes.
static void step(struct place *p, char c, size_t len)
{
	p->pos += len;
	p->column++;
	if (c == '[' || c == '{')
		p->brackets++;
	else if (c == ']' || c == '}')
		p->brackets--;
	else if (c == '\n') {
		p->line++;
		p->column = 0;
		p->line_pos = p->pos;
	}
}

static int fail(const char *name, const struct place *p, int err, const char *what,
	char error[YAML_ERROR_MAX])
{
	(void)snprintf(
		error, YAML_ERROR_MAX, "%s:%u:%u: %s", name, p->line + 1, p->column + 1, what);
	return err;
}

int yaml_check(const char *name, const char *text, size_t len, char error[YAML_ERROR_MAX])
{
	struct place p = {0};

	while (p.pos < len) {
		char c = text[p.pos];
		size_t n = utf8_len((const uint8_t *)text + p.pos, len - p.pos);
		if (n == 0)
			return fail(name, &p, -EINVAL, "neither printable nor UTF-8", error);
		if (c == '%' && p.column == 0)
			return fail(name, &p, -EINVAL, "directives are not supported", error);
		if (p.brackets == BRACKETS_MAX && (c == '[' || c == '{'))
			return fail(name, &p, -E2BIG, "nested too deeply", error);
		if (p.pos - p.line_pos >= YAML_LINE_MAX)
			return fail(name, &p, -E2BIG, "line too long", error);
		step(&p, c, n);
	}
	return 0;
}
