// Reading YAML: libfyaml's events are turned into cJSON with a bounded stack.
#include "ctrl/store/yaml.h"

#include "ctrl/store/yaml_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libfyaml.h>

// A mapping or sequence that is being filled.
struct level {
	cJSON *node; // owned by its parent, the outermost by the builder
	char *key; // owned; the mapping's key that waits for its value
	size_t n; // entries so far
};

struct builder {
	const char *name;
	const char *text;
	size_t len;
	char *error;
	struct level level[YAML_DEPTH_MAX];
	size_t depth;
	cJSON *root; // owned, until it is a document's
	unsigned int line; // of root
	size_t pos; // of root, in bytes
	size_t searched; // text before it holds no further separator
	struct yaml_documents docs;
	size_t n_seen; // documents, the empty ones included
};

static int fail(struct builder *b, int err, const struct fy_mark *mark, const char *what)
{
	(void)snprintf(b->error, YAML_ERROR_MAX, "%s:%d:%d: %s", b->name,
		mark != NULL ? mark->line + 1 : 1, mark != NULL ? mark->column + 1 : 1, what);
	return err;
}

static bool one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (strcmp(text, *words) == 0)
			return true;
	}
	return false;
}

// The core schema's integers and floats but for .inf and .nan, which JSON does not have.
static bool is_number(const char *text, double *ret)
{
	const char *p = text;
	char *end;

	if (strncmp(p, "0x", 2) == 0 || strncmp(p, "0o", 2) == 0) {
		bool hex = p[1] == 'x';
		size_t digits = strspn(p + 2, hex ? "0123456789abcdefABCDEF" : "01234567");
		if (digits == 0 || p[2 + digits] != '\0')
			return false;
		*ret = (double)strtoull(p + 2, &end, hex ? 16 : 8);
		return true;
	}
	if (*p == '-' || *p == '+')
		p++;
	size_t whole = strspn(p, "0123456789"), part = 0;
	p += whole;
	if (*p == '.') {
		part = strspn(p + 1, "0123456789");
		p += 1 + part;
	}
	if (whole + part == 0)
		return false;
	if (*p == 'e' || *p == 'E') {
		p++;
		if (*p == '-' || *p == '+')
			p++;
		size_t exponent = strspn(p, "0123456789");
		if (exponent == 0)
			return false;
		p += exponent;
	}
	if (*p != '\0')
		return false;
	*ret = strtod(text, &end);
	return true;
}

static cJSON *plain_scalar(const char *text)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const trues[] = {"true", "True", "TRUE", NULL};
	static const char *const falses[] = {"false", "False", "FALSE", NULL};
	double number;

	if (one_of(text, nulls))
		return cJSON_CreateNull();
	if (one_of(text, trues))
		return cJSON_CreateTrue();
	if (one_of(text, falses))
		return cJSON_CreateFalse();
	if (is_number(text, &number))
		return cJSON_CreateNumber(number);
	return cJSON_CreateString(text);
}

// Puts item (takes it) where the next value belongs.
static int attach(struct builder *b, cJSON *item, const struct fy_mark *mark)
{
	if (item == NULL)
		return fail(b, -ENOMEM, mark, "out of memory");
	if (b->depth == 0) {
		b->root = item;
		b->line = mark != NULL ? (unsigned int)mark->line + 1 : 1;
		b->pos = mark != NULL ? mark->input_pos : 0;
		return 0;
	}
	struct level *top = &b->level[b->depth - 1];
	if (cJSON_IsArray(top->node)) {
		(void)cJSON_AddItemToArray(top->node, item);
		return 0;
	}
	if (top->key == NULL) {
		cJSON_Delete(item);
		return fail(b, -EINVAL, mark, "a key must be a plain word or a string");
	}
	(void)cJSON_AddItemToObject(top->node, top->key, item);
	free(top->key);
	top->key = NULL;
	return 0;
}

static int open_level(struct builder *b, cJSON *node, bool tagged, const struct fy_mark *mark)
{
	if (tagged || b->depth == YAML_DEPTH_MAX) {
		cJSON_Delete(node);
		return tagged ? fail(b, -EINVAL, mark, "tags are not supported")
			      : fail(b, -E2BIG, mark, "nested too deeply");
	}
	int ret = attach(b, node, mark);
	if (ret < 0)
		return ret;
	b->level[b->depth++] = (struct level){.node = node};
	return 0;
}

static int set_key(
	struct builder *b, struct level *top, const char *text, const struct fy_mark *mark)
{
	char what[128];

	if (cJSON_GetObjectItemCaseSensitive(top->node, text) != NULL) {
		(void)snprintf(what, sizeof(what), "key '%.64s' is given twice", text);
		return fail(b, -EINVAL, mark, what);
	}
	if (++top->n > YAML_KEYS_MAX)
		return fail(b, -E2BIG, mark, "too many keys in one mapping");
	top->key = strdup(text);
	return top->key != NULL ? 0 : fail(b, -ENOMEM, mark, "out of memory");
}

static int take_scalar(struct builder *b, const struct fy_event *e, const struct fy_mark *mark)
{
	size_t len = fy_token_get_text_length(e->scalar.value);
	const char *text = len > 0 ? fy_token_get_text0(e->scalar.value) : "";

	if (e->scalar.tag != NULL)
		return fail(b, -EINVAL, mark, "tags are not supported");
	if (text == NULL)
		return fail(b, -ENOMEM, mark, "out of memory");
	if (strlen(text) != len)
		return fail(b, -EINVAL, mark, "a string must not hold a NUL");

	struct level *top = b->depth > 0 ? &b->level[b->depth - 1] : NULL;
	if (top != NULL && cJSON_IsObject(top->node) && top->key == NULL)
		return set_key(b, top, text, mark);
	bool plain =
		e->scalar.value == NULL || fy_token_scalar_style(e->scalar.value) == FYSS_PLAIN;
	return attach(b, plain ? plain_scalar(text) : cJSON_CreateString(text), mark);
}

// Whether a line at pos begins a document.
static bool is_separator(const struct builder *b, size_t pos)
{
	return pos + 3 <= b->len && memcmp(b->text + pos, "---", 3) == 0 &&
	       (pos + 3 == b->len || strchr(" \t\r\n", b->text[pos + 3]) != NULL);
}

// The first line from pos on that begins a document, or the end of the text.
static size_t next_separator(const struct builder *b, size_t pos)
{
	while (pos < b->len && !is_separator(b, pos)) {
		const char *newline = memchr(b->text + pos, '\n', b->len - pos);
		if (newline == NULL)
			return b->len;
		pos = (size_t)(newline - b->text) + 1;
	}
	return pos;
}

// The document's text: YAML allows a line of `---` nowhere but between documents.
static void locate(struct builder *b, struct yaml_document *doc)
{
	size_t start = b->searched, next;

	for (;;) {
		next = next_separator(
			b, start < b->len && is_separator(b, start) ? start + 3 : start);
		if (next > b->pos || next >= b->len)
			break;
		start = next;
	}
	doc->start = start;
	doc->end = next;
	b->searched = next;
}

static int end_document(struct builder *b)
{
	if (++b->n_seen > YAML_DOCUMENTS_MAX)
		return fail(b, -E2BIG, NULL, "too many documents in one file");
	if (b->root == NULL)
		return 0;
	if (cJSON_IsNull(b->root)) {
		cJSON_Delete(b->root);
		b->root = NULL;
		return 0;
	}
	struct yaml_document *doc = reallocarray(b->docs.doc, b->docs.n + 1, sizeof(*doc));
	if (doc == NULL)
		return fail(b, -ENOMEM, NULL, "out of memory");
	b->docs.doc = doc;
	doc += b->docs.n++;
	*doc = (struct yaml_document){.json = b->root, .line = b->line};
	b->root = NULL;
	locate(b, doc);
	return 0;
}

static int take_event(struct builder *b, struct fy_event *e)
{
	const struct fy_mark *mark = fy_event_start_mark(e);

	switch (e->type) {
	case FYET_SCALAR:
		return take_scalar(b, e, mark);
	case FYET_MAPPING_START:
		return open_level(b, cJSON_CreateObject(), e->mapping_start.tag != NULL, mark);
	case FYET_SEQUENCE_START:
		return open_level(b, cJSON_CreateArray(), e->sequence_start.tag != NULL, mark);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		b->depth--;
		return 0;
	case FYET_ALIAS:
		return fail(b, -EINVAL, mark, "aliases are not supported");
	case FYET_DOCUMENT_END:
		return end_document(b);
	default:
		return 0;
	}
}

// What libfyaml collected when it stopped.
static int syntax_error(struct builder *b, struct fy_diag *diag)
{
	void *iter = NULL;
	const struct fy_diag_error *e = fy_diag_errors_iterate(diag, &iter);

	if (e == NULL)
		return fail(b, -EINVAL, NULL, "not YAML");
	struct fy_mark mark = {.line = e->line - 1, .column = e->column - 1};
	return fail(b, -EINVAL, &mark, e->msg);
}

static int parse(struct builder *b, struct fy_parser *parser, struct fy_diag *diag)
{
	if (fy_parser_set_string(parser, b->text, b->len) != 0)
		return fail(b, -ENOMEM, NULL, "out of memory");
	for (;;) {
		struct fy_event *e = fy_parser_parse(parser);
		if (e == NULL)
			break;
		bool last = e->type == FYET_STREAM_END;
		int ret = take_event(b, e);
		fy_parser_event_free(parser, e);
		if (ret < 0 || last)
			return ret;
	}
	return syntax_error(b, diag);
}

static void builder_fini(struct builder *b)
{
	for (size_t i = 0; i < YAML_DEPTH_MAX; i++)
		free(b->level[i].key);
	cJSON_Delete(b->root);
	yaml_documents_free(&b->docs);
}

int yaml_parse_text(const char *name, const char *text, size_t len, struct yaml_documents *ret,
	char error[YAML_ERROR_MAX])
{
	struct builder b = {.name = name, .text = text, .len = len, .error = error};

	if (len > YAML_FILE_MAX)
		return fail(&b, -E2BIG, NULL, "larger than 1 MiB");
	if (len == 0) {
		*ret = (struct yaml_documents){0};
		return 0;
	}
	int err = yaml_check(name, text, len, error);
	if (err < 0)
		return err;
	struct fy_diag_cfg diag_conf;
	fy_diag_cfg_default(&diag_conf);
	diag_conf.fp = NULL;
	struct fy_diag *diag = fy_diag_create(&diag_conf);
	if (diag == NULL)
		return fail(&b, -ENOMEM, NULL, "out of memory");
	fy_diag_set_collect_errors(diag, true);
	const struct fy_parse_cfg conf = {
		.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 |
			 FYPCF_JSON_NONE,
		.diag = diag,
	};
	struct fy_parser *parser = fy_parser_create(&conf);
	err = parser != NULL ? parse(&b, parser, diag) : fail(&b, -ENOMEM, NULL, "out of memory");

	fy_parser_destroy(parser);
	fy_diag_destroy(diag);
	if (err == 0) {
		*ret = b.docs;
		b.docs = (struct yaml_documents){0};
	}
	builder_fini(&b);
	return err;
}

static int read_all(int fd, char **ret_text, size_t *ret_len)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > YAML_FILE_MAX)
		return -E2BIG;
	char *text = malloc(YAML_FILE_MAX + 1);
	if (text == NULL)
		return -ENOMEM;
	size_t len = 0;
	while (len <= YAML_FILE_MAX) {
		ssize_t n = read(fd, text + len, YAML_FILE_MAX + 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int err = -errno;
			free(text);
			return err;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}

int yaml_parse_file(const char *path, struct yaml_documents *ret, char error[YAML_ERROR_MAX])
{
	// O_NONBLOCK: a fifo with nobody at its other end must not stop the event loop.
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err;

	if (fd < 0) {
		err = -errno;
		(void)snprintf(error, YAML_ERROR_MAX, "%s: %s", path, strerror(-err));
		return err;
	}
	char *text = NULL;
	size_t len = 0;
	err = read_all(fd, &text, &len);
	(void)close(fd);
	if (err < 0) {
		(void)snprintf(error, YAML_ERROR_MAX, "%s: %s", path,
			err == -EINVAL  ? "not a regular file"
			: err == -E2BIG ? "larger than 1 MiB"
					: strerror(-err));
		return err;
	}
	err = yaml_parse_text(path, text, len, ret, error);
	free(text);
	return err;
}

void yaml_documents_free(struct yaml_documents *d)
{
	for (size_t i = 0; i < d->n; i++)
		cJSON_Delete(d->doc[i].json);
	free(d->doc);
	*d = (struct yaml_documents){0};
}
