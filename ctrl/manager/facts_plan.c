// Which objects the rules for a review look at, and under which paths the API has them.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/manager/facts.h"

#define PAGE 500
#define NODE_PREFIX "system:node:"
#define LABEL_VM ANNOTATION_PREFIX "vm"
#define VM_INSTANCE "VirtualMachineInstance"

// A path that grows; what does not fit makes it no path at all.
struct path {
	char *text;
	size_t len;
	bool full;
};

__attribute__((format(printf, 2, 3))) static void append(struct path *p, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(p->text + p->len, FACTS_PATH_MAX - p->len, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= FACTS_PATH_MAX - p->len)
		p->full = true;
	else
		p->len += (size_t)n;
}

// RFC 3986: everything but unreserved characters.
static void append_escaped(struct path *p, const char *text)
{
	for (const char *c = text; *c != '\0' && !p->full; c++) {
		if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			(*c >= '0' && *c <= '9') || strchr("-._~", *c) != NULL)
			append(p, "%c", *c);
		else
			append(p, "%%%02X", (unsigned char)*c);
	}
}

static struct path begin(struct facts_request *r, enum kind kind, const char *namespace)
{
	struct path p = {.text = r->path};

	r->kind = kind;
	r->single = r->first_page = false;
	append(&p, "/%s/%s/", strchr(kind_api_version(kind), '/') != NULL ? "apis" : "api",
		kind_api_version(kind));
	if (namespace != NULL && namespace[0] != '\0') {
		append(&p, "namespaces/");
		append_escaped(&p, namespace);
		append(&p, "/");
	}
	append(&p, "%s", kind_plural(kind));
	return p;
}

static bool end(struct facts_request *r, struct path *p)
{
	// It is asked nevertheless: a path that nothing has is answered, and the review refused.
	if (p->full)
		(void)snprintf(r->path, sizeof(r->path), "/too-long");
	return true;
}

static void append_query(struct path *p, bool fresh)
{
	append(p, "?limit=%d%s", PAGE, fresh ? "" : "&resourceVersion=0");
}

static bool list(struct facts_request *r, enum kind kind, bool fresh)
{
	struct path p = begin(r, kind, NULL);

	append_query(&p, fresh);
	return end(r, &p);
}

// The IPInstances with a label of ours.
static bool list_instances(struct facts_request *r, const char *namespace, const char *label,
	const char *value, bool fresh)
{
	struct path p = begin(r, KIND_IPINSTANCE, namespace);

	append_query(&p, fresh);
	append(&p, "&labelSelector=");
	append_escaped(&p, label);
	append(&p, "%%3D");
	append_escaped(&p, value);
	return end(r, &p);
}

static bool list_nodes(struct facts_request *r, const struct key_values *selector)
{
	struct path p = begin(r, KIND_NODE, NULL);

	append_query(&p, true);
	append(&p, "&labelSelector=");
	for (size_t i = 0; i < selector->n; i++) {
		append(&p, "%s", i > 0 ? "%2C" : "");
		append_escaped(&p, selector->kv[i].key);
		append(&p, "%%3D");
		append_escaped(&p, selector->kv[i].value);
	}
	return end(r, &p);
}

static bool get(struct facts_request *r, enum kind kind, const char *namespace, const char *name,
	bool fresh)
{
	struct path p = begin(r, kind, namespace);

	append(&p, "/");
	append_escaped(&p, name);
	append(&p, "%s", fresh ? "" : "?resourceVersion=0");
	r->single = true;
	return end(r, &p);
}

bool facts_continue(
	const struct facts_request *request, const char *token, char ret_path[FACTS_PATH_MAX])
{
	struct path p = {.text = ret_path};

	append(&p, "%s&continue=", request->path);
	append_escaped(&p, token);
	return !p.full;
}

// ── By kind ────────────────────────────────────────────────────────────────────────────────────

static bool network_next(
	const struct review *r, const struct facts *f, struct facts_request *ret_request)
{
	const struct network *n =
		(const void *)(r->operation == REVIEW_DELETE ? r->old : r->object);

	if (!f->known[KIND_NETWORK])
		return list(ret_request, KIND_NETWORK, true);
	if (r->operation != REVIEW_DELETE)
		return n != NULL && n->type == NETWORK_UNDERLAY && n->node_selector.n > 0 &&
		       !f->known[KIND_NODE] && list_nodes(ret_request, &n->node_selector);
	if (!f->known[KIND_SUBNET])
		return list(ret_request, KIND_SUBNET, true);
	if (n == NULL || n->mode != NETWORK_BGP || f->known[KIND_IPINSTANCE])
		return false;
	for (size_t i = 0; i < f->n[KIND_NETWORK]; i++) {
		const struct network *other = (const void *)f->objects[KIND_NETWORK][i];
		if (other->type == NETWORK_GLOBAL_BGP)
			return list_instances(ret_request, NULL, ANNOTATION_PREFIX "network",
				other->obj.meta.name, true);
	}
	return false;
}

static bool subnet_next(
	const struct review *r, const struct facts *f, struct facts_request *ret_request)
{
	if (r->operation == REVIEW_DELETE) {
		bool more = !f->known[KIND_IPINSTANCE] &&
			    list_instances(ret_request, NULL, ANNOTATION_PREFIX "subnet",
				    review_name(r), true);
		ret_request->first_page = true;
		return more;
	}
	if (r->object == NULL)
		return false;
	if (!f->known[KIND_NETWORK])
		return list(ret_request, KIND_NETWORK, true);
	return !f->known[KIND_SUBNET] && list(ret_request, KIND_SUBNET, true);
}

bool facts_moves(const struct review *r)
{
	const struct ipinstance *i = (const void *)r->object, *old = (const void *)r->old;

	if (r->operation != REVIEW_UPDATE)
		return r->operation == REVIEW_CREATE;
	return !i->obj.meta.deleting &&
	       (old == NULL || ip_cmp(&old->address.ip.ip, &i->address.ip.ip) != 0 ||
		       strcmp(old->subnet, i->subnet) != 0 ||
		       strcmp(old->network, i->network) != 0);
}

static bool ipinstance_next(const struct review *r, const struct facts *f, bool fresh,
	struct facts_request *ret_request)
{
	const struct ipinstance *i = (const void *)r->object;

	if (i == NULL || r->subresource[0] != '\0' || !facts_moves(r))
		return false;
	if (!f->known[KIND_NETWORK])
		return list(ret_request, KIND_NETWORK, fresh);
	if (!f->known[KIND_SUBNET])
		return list(ret_request, KIND_SUBNET, fresh);
	return !f->known[KIND_IPINSTANCE] &&
	       list_instances(ret_request, NULL, ANNOTATION_PREFIX "subnet", i->subnet, fresh);
}

static bool pod_next(const struct judge_conf *conf, const struct review *r, const struct facts *f,
	bool fresh, struct facts_request *ret_request)
{
	const struct pod *pod = (const void *)r->object;
	char label[LABEL_MAX_LEN];

	if (pod == NULL || pod->host_network || r->operation != REVIEW_CREATE)
		return false;
	if (!f->known[KIND_NETWORK])
		return list(ret_request, KIND_NETWORK, fresh);
	if (!f->known[KIND_SUBNET])
		return list(ret_request, KIND_SUBNET, fresh);
	if (!f->known[KIND_NAMESPACE] && pod->obj.meta.namespace[0] != '\0')
		return get(ret_request, KIND_NAMESPACE, NULL, pod->obj.meta.namespace, fresh);
	const char *vm = facts_vm_of(conf, pod);
	if (vm != NULL)
		return !f->known[KIND_IPINSTANCE] &&
		       list_instances(ret_request, pod->obj.meta.namespace, LABEL_VM, vm, fresh);
	// A pod whose name is still to be made has no former life.
	if (r->name[0] == '\0' || f->known[KIND_IPINSTANCE])
		return false;
	ipinstance_pod_label(pod->obj.meta.name, label);
	return list_instances(
		ret_request, pod->obj.meta.namespace, ANNOTATION_PREFIX "pod", label, fresh);
}

bool facts_next(const struct judge_conf *conf, const struct review *r, const struct facts *f,
	bool fresh, struct facts_request *ret)
{
	const char *node;

	switch (r->kind) {
	case KIND_NETWORK:
		return r->subresource[0] == '\0' && network_next(r, f, ret);
	case KIND_SUBNET:
		return r->subresource[0] == '\0' && subnet_next(r, f, ret);
	case KIND_POD:
		return pod_next(conf, r, f, fresh, ret);
	case KIND_IPINSTANCE:
	case KIND_NODEINFO:
		if (strcmp(r->user, conf->manager_account) == 0)
			return false;
		if (facts_user_is_node(conf, r, f, &node))
			return node == NULL && r->user_pod != NULL && !f->known[KIND_POD] &&
			       get(ret, KIND_POD, conf->namespace, r->user_pod, fresh);
		return r->kind == KIND_IPINSTANCE && ipinstance_next(r, f, fresh, ret);
	case KIND_NODE:
	case KIND_NAMESPACE:
	case KIND_COUNT:
		break;
	}
	return false;
}

const char *facts_vm_of(const struct judge_conf *conf, const struct pod *pod)
{
	const struct owner_ref *o = pod_controller(pod);

	return conf->vm_ip_retain && o != NULL && o->kind != NULL && o->name != NULL &&
			       strcmp(o->kind, VM_INSTANCE) == 0
		       ? o->name
		       : NULL;
}

bool facts_user_is_node(const struct judge_conf *conf, const struct review *r,
	const struct facts *f, const char **ret_node)
{
	*ret_node = NULL;
	if (strncmp(r->user, NODE_PREFIX, strlen(NODE_PREFIX)) == 0) {
		*ret_node = r->user + strlen(NODE_PREFIX);
		return true;
	}
	if (strcmp(r->user, conf->node_account) != 0)
		return false;
	if (r->user_node != NULL) {
		*ret_node = r->user_node;
	} else if (r->user_pod != NULL) {
		const struct pod *pod =
			(const void *)facts_find(f, KIND_POD, conf->namespace, r->user_pod);
		if (pod != NULL && pod->node_name[0] != '\0')
			*ret_node = pod->node_name;
	}
	return true;
}
