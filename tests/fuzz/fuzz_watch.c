// Fuzzes what an API server, or something in between, may send: a watch in chunks of any size, and a
// list's page. Run by libFuzzer, or by replay.c on the corpus.
#include <stdlib.h>
#include <string.h>

#include "ctrl/store/kube_known.h"
#include "ctrl/store/kube_lines.h"
#include "ctrl/store/kube_page.h"
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

static void split_page(const uint8_t *data, size_t size)
{
	char *text = malloc(size + (size == 0));
	struct kube_page page;

	if (size > 0)
		memcpy(text, data, size);
	if (kube_page_split(text, size, &page) == 0) {
		for (size_t i = 0; i < page.n; i++) {
			check(page.item[i].len > 0 && page.item[i].text >= text &&
				page.item[i].text + page.item[i].len <= text + size);
			cJSON_Delete(cJSON_ParseWithLength(page.item[i].text, page.item[i].len));
		}
		check(page.list != NULL);
		kube_page_fini(&page);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct sum whole = feed(data, size, size);
	struct sum parts = feed(data, size, 1 + data[0] % 64);

	check(whole.hash == parts.hash && whole.n_lines == parts.n_lines);
	split_page(data, size);
	return 0;
}
