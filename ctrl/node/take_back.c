// The sandbox that an IPInstance's status names is gone: status.sandboxID is taken back. The manager
// keeps the address of a pod that has ended while a sandbox has it, and nobody but this node knows when
// that is over.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/log.h"
#include "ctrl/model/field.h"
#include "ctrl/node/cni_inner.h"

#define TRIES_MAX 5 // of one that others write at the same time

struct take_back {
	struct cni *cni;
	char container_id[CONTAINER_ID_MAX];
	char namespace[64], name[64]; // the IPInstance
	unsigned int n_tries;
	struct take_back *prev, *next; // cni->take_backs
};

static void read_now(struct take_back *t);

static void end(struct take_back *t)
{
	DL_DELETE(t->cni->take_backs, t);
	free(t);
}

static void give_up(struct take_back *t, int err, const char *message)
{
	if (err != -ENOENT) // the manager's patience ends too
		log_debug("status.sandboxID of IPInstance '%s/%s' stays: %s", t->namespace, t->name,
			message != NULL ? message : strerror(-err));
	end(t);
}

static void on_written(void *arg, int err, const cJSON *, const char *message)
{
	struct take_back *t = arg;

	if (err == -ESTALE && ++t->n_tries < TRIES_MAX)
		read_now(t);
	else if (err < 0)
		give_up(t, err, message);
	else
		end(t);
}

// Only of the version that was looked at: the address may have its next sandbox by now.
static void write_version(struct take_back *t, const char *version)
{
	struct store *store = t->cni->conf.store;
	cJSON *patch = cJSON_CreateObject();

	cJSON_AddStringToObject(
		cJSON_AddObjectToObject(patch, "metadata"), "resourceVersion", version);
	cJSON_AddNullToObject(cJSON_AddObjectToObject(patch, "status"), "sandboxID");
	store->ops->patch(store,
		&(struct store_name){
			.kind = KIND_IPINSTANCE, .namespace = t->namespace, .name = t->name},
		patch, true, on_written, t);
	cJSON_Delete(patch);
}

static bool is_of(const cJSON *obj, const char *container_id)
{
	return strcmp(field_string(field_get(obj, "status"), "sandboxID"), container_id) == 0;
}

static void on_read(void *arg, int err, const cJSON *obj, const char *message)
{
	struct take_back *t = arg;

	if (err < 0)
		give_up(t, err, message);
	else if (is_of(obj, t->container_id))
		write_version(t, field_string(field_get(obj, "metadata"), "resourceVersion"));
	else
		end(t);
}

static void read_now(struct take_back *t)
{
	struct store *store = t->cni->conf.store;

	store->ops->get(store,
		&(struct store_name){
			.kind = KIND_IPINSTANCE, .namespace = t->namespace, .name = t->name},
		on_read, t);
}

// The cache may not have seen yet that this sandbox has the address; then the server is asked.
static void begin(struct cni *cni, const struct attachment *a, const struct in6_addr *ip)
{
	char name[64];

	ipinstance_name(ip, name);
	const cJSON *known = cache_get_json(cni->conf.cache, KIND_IPINSTANCE, a->namespace, name);
	struct take_back *t = known != NULL ? calloc(1, sizeof(*t)) : NULL;

	if (t == NULL)
		return;
	t->cni = cni;
	strcpy(t->container_id, a->container_id);
	strcpy(t->namespace, a->namespace);
	strcpy(t->name, name);
	DL_APPEND(cni->take_backs, t);
	if (is_of(known, a->container_id))
		write_version(t, field_string(field_get(known, "metadata"), "resourceVersion"));
	else
		read_now(t);
}

void status_take_back(struct cni *cni, const struct attachment *a)
{
	if (!cni->conf.config->store_kube)
		return; // DEL removes the Pod there, and with it all that is said of it
	for (size_t i = 0; i < a->n_addr; i++)
		begin(cni, a, &a->addr[i].link.ip);
}

void take_backs_free(struct cni *cni)
{
	struct take_back *t, *next;

	DL_FOREACH_SAFE (cni->take_backs, t, next)
		end(t);
}
