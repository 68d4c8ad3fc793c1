// A store in the hands of a test: prints what it is told, one line of JSON each, and carries out what
// it reads from its standard input, likewise. Ends with its input.
//
//   store_tool KUBECONFIG|- [--node NAME] [--kinds networks,pods] [--insecure] [--from-cache] [--counts] [--cache]
//
// "-" is the Pod's service account. --counts prints no objects, but how many there are; --cache keeps them
// in the daemon's cache.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <uv.h>

#include "ctrl/log.h"
#include "ctrl/store/cache.h"
#include "ctrl/store/kube_client.h"
#include "ctrl/store/kube_lines.h"
#include "ctrl/store/store.h"

#define READ_BYTES 65536
#define MEGA 1000000

struct tool {
	uv_loop_t loop;
	uv_poll_t input;
	struct kube_lines lines;
	struct store *store;
	struct cache *cache; // with --cache
	struct cache_subscriber subscriber;
	bool counts;
	unsigned long n_put, n_deleted;
};

static void put_line(cJSON *line)
{
	char *text = cJSON_PrintUnformatted(line);

	(void)puts(text);
	(void)fflush(stdout);
	free(text);
	cJSON_Delete(line);
}

static uint64_t processor_us(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * MEGA +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static long resident_kib(void)
{
	long pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f != NULL) {
		if (fscanf(f, "%ld %ld", &pages, &resident) != 2)
			resident = 0;
		(void)fclose(f);
	}
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

// ── What the store tells ───────────────────────────────────────────────────────────────────────

static void print_event(
	struct tool *t, enum kind kind, const char *event, const cJSON *obj, const char *message)
{
	cJSON *line = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(line, "event", event);
	(void)cJSON_AddStringToObject(line, "kind", kind_name(kind));
	if (obj != NULL)
		(void)cJSON_AddItemToObject(line, "object", cJSON_Duplicate(obj, true));
	if (message != NULL)
		(void)cJSON_AddStringToObject(line, "message", message);
	if (t->counts) {
		(void)cJSON_AddNumberToObject(line, "put", (double)t->n_put);
		(void)cJSON_AddNumberToObject(line, "deleted", (double)t->n_deleted);
		(void)cJSON_AddNumberToObject(line, "processor_ms", (double)processor_us() / 1000);
		(void)cJSON_AddNumberToObject(line, "resident_kib", (double)resident_kib());
	}
	put_line(line);
}

static void on_event(
	void *arg, enum kind kind, enum store_event event, const cJSON *obj, const char *message)
{
	static const char *const names[] = {"PUT", "DELETED", "SYNCED", "BROKEN"};
	struct tool *t = arg;

	t->n_put += event == STORE_PUT;
	t->n_deleted += event == STORE_DELETED;
	if (!t->counts || event == STORE_SYNCED || event == STORE_BROKEN)
		print_event(t, kind, names[event], obj, message);
}

static void on_cache_event(void *arg, enum kind kind, enum cache_event event, const struct object *,
	const struct object *)
{
	struct tool *t = arg;

	t->n_put += event == CACHE_PUT;
	t->n_deleted += event == CACHE_DELETED;
	if (event == CACHE_SYNCED)
		print_event(t, kind, "SYNCED", NULL, NULL);
}

// ── What it is told to do ──────────────────────────────────────────────────────────────────────

struct order {
	cJSON *id; // owned; of the order, to find the outcome by
};

static void print_outcome(
	struct order *o, int err, int status, const cJSON *obj, const char *message)
{
	cJSON *line = cJSON_CreateObject();

	(void)cJSON_AddItemToObject(line, "done", o->id);
	(void)cJSON_AddStringToObject(line, "error", err < 0 ? strerrorname_np(-err) : "");
	if (status != 0)
		(void)cJSON_AddNumberToObject(line, "status", status);
	if (obj != NULL)
		(void)cJSON_AddItemToObject(line, "object", cJSON_Duplicate(obj, true));
	if (message != NULL)
		(void)cJSON_AddStringToObject(line, "message", message);
	put_line(line);
	free(o);
}

static void on_done(void *arg, int err, const cJSON *obj, const char *message)
{
	print_outcome(arg, err, 0, obj, message);
}

static void on_answer(void *arg, int status, const cJSON *answer, const char *message)
{
	print_outcome(arg, kube_error(status, answer), status, answer, message);
}

static const char *text_of(const cJSON *order, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(order, name));
}

static void say_event(struct tool *t, const struct store_name *name, const cJSON *order)
{
	const struct store_event_record r = {
		.about = *name,
		.uid = text_of(order, "uid"),
		.warning = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(order, "warning")),
		.reason = text_of(order, "reason"),
		.message = text_of(order, "message"),
	};

	t->store->ops->event(t->store, &r);
}

static void carry_out(struct tool *t, const cJSON *order, struct order *o)
{
	const struct store_ops *ops = t->store->ops;
	const char *op = text_of(order, "op"), *kind = text_of(order, "kind");
	const cJSON *obj = cJSON_GetObjectItemCaseSensitive(order, "object");
	struct store_name name = {
		.namespace = text_of(order, "namespace"), .name = text_of(order, "name")};
	bool status = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(order, "status"));

	for (enum kind k = 0; kind != NULL && k < KIND_COUNT; k++) {
		if (strcmp(kind, kind_name(k)) == 0)
			name.kind = k;
	}
	if (strcmp(op, "create") == 0) {
		ops->create(t->store, obj, on_done, o);
	} else if (strcmp(op, "update") == 0) {
		(status ? ops->update_status : ops->update)(t->store, obj, on_done, o);
	} else if (strcmp(op, "patch") == 0) {
		ops->patch(t->store, &name, obj, status, on_done, o);
	} else if (strcmp(op, "get") == 0) {
		ops->get(t->store, &name, on_done, o);
	} else if (strcmp(op, "delete") == 0) {
		ops->delete_version(t->store, &name, text_of(order, "uid"),
			text_of(order, "resourceVersion"), on_done, o);
	} else if (strcmp(op, "event") == 0) {
		say_event(t, &name, order);
		print_outcome(o, 0, 0, NULL, NULL);
	} else if (strcmp(op, "request") == 0) {
		kube_request(store_kube_client(t->store), text_of(order, "method"),
			text_of(order, "path"), text_of(order, "contentType"), obj, on_answer, o);
	} else { // "report"
		print_event(t, KIND_NETWORK, "REPORT", NULL, NULL);
		print_outcome(o, 0, 0, NULL, NULL);
	}
}

static bool on_line(void *arg, char *text, size_t len)
{
	struct tool *t = arg;
	cJSON *order = cJSON_ParseWithLength(text, len);
	struct order *o = calloc(1, sizeof(*o));

	if (o == NULL || text_of(order, "op") == NULL) {
		(void)fprintf(stderr, "not an order: %s\n", text);
		exit(1);
	}
	o->id = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(order, "id"), true);
	carry_out(t, order, o);
	cJSON_Delete(order);
	return true;
}

static void on_input(uv_poll_t *poll, int, int)
{
	struct tool *t = poll->data;
	static char data[READ_BYTES];
	ssize_t n = read(STDIN_FILENO, data, sizeof(data));

	if (n > 0) {
		(void)kube_lines_feed(&t->lines, data, (size_t)n, on_line, t);
	} else if (n == 0) {
		uv_close((uv_handle_t *)poll, NULL);
		if (t->cache != NULL)
			cache_free(t->cache);
		t->store->ops->close(t->store);
	}
}

// ── Starting ───────────────────────────────────────────────────────────────────────────────────

static uint32_t kinds_of(char *list)
{
	uint32_t kinds = 0;

	for (char *text = strtok(list, ","); text != NULL; text = strtok(NULL, ",")) {
		for (enum kind k = 0; k < KIND_COUNT; k++) {
			if (strcmp(text, kind_plural(k)) == 0)
				kinds |= 1U << k;
		}
	}
	return kinds;
}

static bool parse(int argc, char **argv, struct store_kube_conf *conf, bool *counts, bool *cache)
{
	if (argc < 2)
		return false;
	conf->kubeconfig = strcmp(argv[1], "-") != 0 ? argv[1] : NULL;
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--node") == 0 && i + 1 < argc)
			conf->node_name = argv[++i];
		else if (strcmp(argv[i], "--kinds") == 0 && i + 1 < argc)
			conf->kinds = kinds_of(argv[++i]);
		else if (strcmp(argv[i], "--insecure") == 0)
			conf->allow_insecure = true;
		else if (strcmp(argv[i], "--from-cache") == 0)
			conf->from_cache = true;
		else if (strcmp(argv[i], "--counts") == 0)
			*counts = true;
		else if (strcmp(argv[i], "--cache") == 0)
			*cache = true;
		else
			return false;
	}
	return true;
}

static int start(struct tool *t, uint32_t kinds, bool cached)
{
	if (!cached)
		return t->store->ops->watch(
			t->store, &(struct store_watcher){.event = on_event, .arg = t});
	t->cache = cache_new(t->store);
	if (t->cache == NULL)
		return -ENOMEM;
	t->counts = true;
	t->subscriber = (struct cache_subscriber){.event = on_cache_event, .arg = t};
	cache_set_kinds(t->cache, kinds);
	cache_subscribe(t->cache, &t->subscriber);
	return cache_start(t->cache);
}

int main(int argc, char **argv)
{
	struct store_kube_conf conf = {.component = "test", .kinds = (1U << KIND_COUNT) - 1};
	struct tool t = {0};
	char message[MODEL_ERROR_MAX];
	bool cached = false;

	if (!parse(argc, argv, &conf, &t.counts, &cached)) {
		(void)fprintf(stderr, "usage: store_tool KUBECONFIG|- [option …]\n");
		return 2;
	}
	log_set_level(LOG_LEVEL_DEBUG);
	(void)uv_loop_init(&t.loop);
	(void)uv_poll_init(&t.loop, &t.input, STDIN_FILENO);
	t.input.data = &t;
	(void)uv_poll_start(&t.input, UV_READABLE, on_input);
	int ret = store_kube_open(&t.loop, &conf, &t.store, message);
	if (ret == 0)
		ret = start(&t, conf.kinds, cached);
	if (ret < 0) {
		(void)fprintf(stderr, "%s\n", message);
		return 1;
	}
	(void)uv_run(&t.loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&t.loop);
	kube_lines_reset(&t.lines);
	return 0;
}
