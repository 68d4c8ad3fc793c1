// CNI ADD, the Pod object in Kubernetes: it was there before the runtime called, and the watch of
// this node's pods brings it. It may still be an earlier pod's of that name, as a StatefulSet's
// are.
#include <string.h>

#include "ctrl/node/cni_inner.h"

// On a static pod's mirror in the API: the UID that the runtime knows.
#define ANNOTATION_MIRROR "kubernetes.io/config.mirror"

static bool is_the_pod(const struct object *pod, const char *uid)
{
	const char *mirrored = key_values_get(&pod->meta.annotations, ANNOTATION_MIRROR);

	return uid[0] == '\0' || strcmp(uid, pod->meta.uid) == 0 ||
	       (mirrored != NULL && strcmp(uid, mirrored) == 0);
}

void add_kube(struct add *add)
{
	const struct op *op = add->op;
	struct attachment *a = &op->slot->a;
	const struct object *pod = cache_get(op->cni->conf.cache, KIND_POD, a->namespace, a->pod);

	if (pod == NULL || !is_the_pod(pod, op->request.uid)) {
		add_wait_for(add, WAIT_POD);
		return;
	}
	strcpy(a->uid, pod->meta.uid);
	add_address(add);
}
