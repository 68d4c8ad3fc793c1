// Fuzzes what an API server, or something in between, may send: a watch in chunks of any size, and a
// list. Run by libFuzzer, or by replay.c on the corpus.
#include <stdlib.h>
#include <string.h>

#include "ctrl/store/kube_items.h"
#include "ctrl/store/kube_known.h"
#include "ctrl/store/kube_lines.h"
#include "ctrl/store/kube_managed_fields.h"
#include "ctrl/store/kube_strip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What a wrong answer of the code under test ends in: libFuzzer keeps the input.
static void check(bool ok)
{
	if (!ok)
		abort();
}

struct sum {
	uint64_t hash;
	size_t n_lines;
	struct kube_known known;
};

static void take(struct sum *s, const char *text, size_t len)
{
	cJSON *change = cJSON_ParseWithLength(text, len);
	cJSON *obj = cJSON_GetObjectItemCaseSensitive(change, "object");
	bool news = false;

	kube_strip(len % 2 ? KIND_POD : KIND_SUBNET, obj);
	if (kube_known_put(&s->known, obj, &news) == 0)
		check(kube_known_count(&s->known) > 0);
	if (len % 3 == 0)
		kube_known_del(&s->known, obj);
	cJSON_Delete(change);
}

static bool on_line(void *arg, char *text, size_t len)
{
	struct sum *s = arg;

	check(len > 0 && text[len] == '\0' && memchr(text, '\n', len) == NULL);
	for (size_t i = 0; i < len; i++)
		s->hash = s->hash * 31 + (uint8_t)text[i];
	s->hash = s->hash * 31 + '\n';
	s->n_lines++;
	take(s, text, len);
	return true;
}

// Feeds it in chunks of so many bytes, each in memory of its own.
static struct sum feed(const uint8_t *data, size_t size, size_t chunk)
{
	struct kube_lines lines = {0};
	struct sum sum = {0};

	for (size_t at = 0; at < size; at += chunk) {
		size_t n = size - at < chunk ? size - at : chunk;
		char *part = malloc(n);

		memcpy(part, data + at, n);
		check(kube_lines_feed(&lines, part, n, on_line, &sum) == 0);
		free(part);
	}
	kube_lines_reset(&lines);
	kube_known_clear(&sum.known);
	return sum;
}

static bool on_item(void *arg, char *text, size_t len)
{
	struct sum *s = arg;

	check(len > 1 && text[0] == '{');
	for (size_t i = 0; i < len; i++)
		s->hash = s->hash * 31 + (uint8_t)text[i];
	s->n_lines++;
	kube_blank_managed_fields(text, len);
	cJSON_Delete(cJSON_ParseWithLength(text, len));
	return true;
}

// The same of a list.
static struct sum split(const uint8_t *data, size_t size, size_t chunk)
{
	struct kube_items items = {0};
	struct sum sum = {0};
	cJSON *list = NULL;
	int ret = 0;

	for (size_t at = 0; ret == 0 && at < size; at += chunk) {
		size_t n = size - at < chunk ? size - at : chunk;
		char *part = malloc(n);

		memcpy(part, data + at, n);
		ret = kube_items_feed(&items, part, n, on_item, &sum);
		free(part);
	}
	if (ret == 0)
		ret = kube_items_end(&items, &list);
	check((ret == 0) == (list != NULL));
	sum.hash = sum.hash * 31 + (uint64_t)-ret;
	cJSON_Delete(list);
	kube_items_reset(&items);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct sum whole = feed(data, size, size);
	struct sum parts = feed(data, size, 1 + data[0] % 64);

	check(whole.hash == parts.hash && whole.n_lines == parts.n_lines);
	whole = split(data, size, size);
	parts = split(data, size, 1 + data[0] % 64);
	check(whole.hash == parts.hash && whole.n_lines == parts.n_lines);
	return 0;
}
