#include "ctrl/node/config.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctrl/ipam/ipam.h"
#include "ctrl/node/config_keys.h"
#include "ctrl/store/yaml.h"

#define ERROR_MAX 512
#define PATH_MAX_LEN 128
#define MANAGER_LOCK ".manager.lock"

// What the walk through the file's mappings carries along.
struct load {
	const char *file;
	struct config *config;
	char *error;
};

// The node's name as its environment knows it, in the form that Kubernetes gives it.
static void default_node_name(char name[NAME_MAX_LEN])
{
	const char *env = getenv("NODE_NAME");

	if (env == NULL || env[0] == '\0')
		env = getenv("KUBE_NODE_NAME");
	if (env != NULL && env[0] != '\0')
		(void)snprintf(name, NAME_MAX_LEN, "%s", env);
	else if (gethostname(name, NAME_MAX_LEN - 1) < 0 || name[0] == '\0')
		strcpy(name, "localhost");
	for (char *c = name; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
}

// One worker, on the last CPU that this process may use, unless numa_place() knows better.
static int default_cpus(struct config *c)
{
	cpu_set_t allowed;

	c->worker_cpus = calloc(1, sizeof(*c->worker_cpus));
	if (c->worker_cpus == NULL)
		return -ENOMEM;
	c->n_worker_cpus = 1;
	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return 0;
	for (uint16_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed))
			c->worker_cpus[0] = cpu;
	}
	return 0;
}

// What the environment of a Pod of the chart says about pods that say nothing.
static int default_family(struct config *c, char *error)
{
	static const char *const texts[] = {[IP_FAMILY_IPV4] = "IPv4",
		[IP_FAMILY_IPV6] = "IPv6",
		[IP_FAMILY_DUAL_STACK] = "DualStack"};
	const char *env = getenv("DEFAULT_IP_FAMILY");
	enum ip_family family = IP_FAMILY_IPV4;

	if (env != NULL && env[0] != '\0' && ip_family_parse(env, &family) < 0) {
		(void)snprintf(error, ERROR_MAX,
			"DEFAULT_IP_FAMILY: unrecognized ip family %.100s; known: IPv4, IPv6, "
			"DualStack",
			env);
		return -EINVAL;
	}
	c->manager.default_ip_family = texts[family];
	return 0;
}

static int defaults(struct config *c)
{
	memset(c, 0, sizeof(*c));
	default_node_name(c->node_name);
	strcpy(c->socket, "/run/strata/vswitchd.sock");
	strcpy(c->run_dir, "/run/strata");
	strcpy(c->state_dir, "/var/lib/strata");
	strcpy(c->store_dir, "/var/lib/strata/objects");
	c->log_level = LOG_LEVEL_NOTICE;
	c->uplink_carries_host = true;
	strcpy(c->host_ifname, "strata0");
	c->vxlan_port = 8472;
	c->masquerade = true;
	c->n_buffers = 16384;
	c->hugepages = true;
	c->rebalance_interval = 10;
	c->rebalance_load = 80;
	c->rebalance_gain = 25;
	c->rebalance_times = 3;
	c->afxdp_ring = 256;
	c->vhost_queues = 1;
	c->attach_timeout_ms = 10000;
	c->check_timeout_ms = 1000;
	c->manager_enabled = true;
	c->manager.default_network_type = "Overlay";
	c->manager.create_defaults = true;
	c->manager.default_ip_retain = true;
	c->manager.stateful_kinds = strdup("StatefulSet");
	return c->manager.stateful_kinds != NULL ? default_cpus(c) : -ENOMEM;
}

// How many characters to add, drop or change to turn one word into the other.
static size_t distance(const char *a, const char *b)
{
	size_t row[PATH_MAX_LEN + 1], n = strlen(b);

	if (n > PATH_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t change = diagonal + (tolower(a[i - 1]) != tolower(b[j - 1]));
			size_t step = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = change < step ? change : step;
		}
	}
	return row[n];
}

// The known key that looks most like path; NULL if none does. A key that was put into the wrong
// mapping is recognised by its last word.
static const char *nearest_key(const char *path)
{
	const char *word = strrchr(path, '.') != NULL ? strrchr(path, '.') + 1 : path;
	const char *best = NULL;
	size_t best_distance = strlen(word) / 3 + 2;

	for (size_t i = 0; i < config_n_keys; i++) {
		const char *known = config_keys[i].path;
		const char *last = strrchr(known, '.') != NULL ? strrchr(known, '.') + 1 : known;
		size_t whole = distance(path, known);
		size_t d = strcmp(word, last) == 0 && whole > 1 ? 1 : whole;

		if (d < best_distance) {
			best = known;
			best_distance = d;
		}
	}
	return best;
}

static int fail(const struct load *l, int err, const char *path, const char *what)
{
	unsigned int line = config_line(l->file, path);

	if (line > 0)
		(void)snprintf(l->error, ERROR_MAX, "%s:%u: '%s' %s", l->file, line, path, what);
	else
		(void)snprintf(l->error, ERROR_MAX, "%s: '%s' %s", l->file, path, what);
	return err;
}

static int unknown_key(const struct load *l, const char *path)
{
	const char *nearest = nearest_key(path);
	char what[256];

	if (nearest != NULL)
		(void)snprintf(what, sizeof(what), "is unknown; did you mean '%s'?", nearest);
	else
		(void)snprintf(what, sizeof(what),
			"is unknown; the sample configuration strata-vswitchd.yaml has all keys");
	return fail(l, -EINVAL, path, what);
}

// What path names: a key (returned), or, with *ret_section set, a mapping that holds keys.
static const struct config_key *find_key(const char *path, bool *ret_section)
{
	size_t len = strlen(path);

	*ret_section = false;
	for (size_t i = 0; i < config_n_keys; i++) {
		if (strcmp(config_keys[i].path, path) == 0)
			return &config_keys[i];
		if (strncmp(config_keys[i].path, path, len) == 0 && config_keys[i].path[len] == '.')
			*ret_section = true;
	}
	return NULL;
}

// Depth is bounded by the table: only mappings that hold known keys are entered.
static int walk(const struct load *l, const cJSON *mapping, const char *prefix)
{
	const cJSON *value;

	cJSON_ArrayForEach (value, mapping) {
		char path[PATH_MAX_LEN], why[CONFIG_WHY_MAX] = "out of memory";
		bool section;
		int ret = 0;

		(void)snprintf(path, sizeof(path), "%s%s%.64s", prefix,
			prefix[0] != '\0' ? "." : "", value->string);
		const struct config_key *key = find_key(path, &section);
		if (key == NULL && !section)
			return unknown_key(l, path);
		if (cJSON_IsNull(value)) // as if it were not there
			continue;
		if (key == NULL) {
			if (!cJSON_IsObject(value))
				return fail(l, -EINVAL, path, "must be a mapping of keys");
			ret = walk(l, value, path);
			if (ret < 0)
				return ret;
			continue;
		}
		ret = config_set(key, value, l->config, why);
		if (ret < 0)
			return fail(l, ret, path, why);
	}
	return 0;
}

static int load_file(const char *path, struct config *c, char error[ERROR_MAX])
{
	const struct load load = {.file = path, .config = c, .error = error};
	struct yaml_documents docs;

	int ret = yaml_parse_file(path, &docs, error);
	if (ret < 0)
		return ret;
	if (docs.n > 1) {
		(void)snprintf(error, ERROR_MAX, "%s:%u: a second document; one holds all keys",
			path, docs.doc[1].line);
		ret = -EINVAL;
	} else if (docs.n == 1 && cJSON_IsObject(docs.doc[0].json)) {
		ret = walk(&load, docs.doc[0].json, "");
	} else if (docs.n == 1 && !cJSON_IsNull(docs.doc[0].json)) {
		(void)snprintf(error, ERROR_MAX, "%s:%u: must be a mapping of keys", path,
			docs.doc[0].line);
		ret = -EINVAL;
	}
	yaml_documents_free(&docs);
	return ret;
}

int config_load(const char *path, struct config *ret_config, char error[512])
{
	struct config c;
	char *lock = NULL;

	strcpy(error, "out of memory");
	int ret = defaults(&c);
	if (ret == 0)
		ret = default_family(&c, error);
	if (ret == 0 && path != NULL)
		ret = load_file(path, &c, error);
	if (ret == 0 && asprintf(&lock, "%s/" MANAGER_LOCK, c.store_dir) < 0)
		ret = -ENOMEM;
	if (ret < 0) {
		config_fini(&c);
		return ret;
	}
	c.manager.lock_path = lock;
	*ret_config = c;
	return 0;
}

void config_fini(struct config *c)
{
	for (size_t i = 0; i < c->node_labels.n; i++) {
		free(c->node_labels.kv[i].key);
		free(c->node_labels.kv[i].value);
	}
	free(c->node_labels.kv);
	free(c->host_addr);
	free(c->worker_cpus);
	free((void *)(uintptr_t)c->manager.stateful_kinds);
	free((void *)(uintptr_t)c->manager.lock_path);
}
