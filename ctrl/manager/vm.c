// KubeVirt: pod → VirtualMachineInstance → VirtualMachine, by two reads past the cache (they are no
// kinds of ours). The answer is kept with the pod; only whether the machine still is there is asked
// again, when the pod ends.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/log.h"
#include "ctrl/manager/state.h"
#include "ctrl/model/field.h"
#include "ctrl/store/kube_client.h"

#define KUBEVIRT_API "kubevirt.io/v1"
#define KUBEVIRT_GROUP "kubevirt.io/"
#define PATH_MAX_LEN (3 * NAME_MAX_LEN)

struct vm_state {
	struct manager *m; // NULL: it or the pod's state is gone
	char pod[POD_KEY_MAX], namespace[64];
	bool asking, known;
	bool asked_at_end;
	bool gone; // deleted, or being deleted
	bool owned;
	char name[NAME_MAX_LEN], uid[64], api_version[64];
};

void vm_state_free(struct vm_state *vm)
{
	if (vm == NULL)
		return;
	vm->m = NULL; // its answer frees it
	if (!vm->asking)
		free(vm);
}

static void ask(struct vm_state *vm, const char *plural, const char *name, kube_done *done)
{
	char path[PATH_MAX_LEN];

	(void)snprintf(path, sizeof(path), "/apis/" KUBEVIRT_API "/namespaces/%s/%s/%s",
		vm->namespace, plural, name);
	vm->asking = true;
	kube_request(store_kube_client(vm->m->store), "GET", path, NULL, NULL, done, vm);
}

static const cJSON *owner_of(const cJSON *obj, const char *kind)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata"), *ref;

	cJSON_ArrayForEach (ref, cJSON_GetObjectItemCaseSensitive(meta, "ownerReferences")) {
		if (strcmp(field_string(ref, "kind"), kind) == 0 &&
			strncmp(field_string(ref, "apiVersion"), KUBEVIRT_GROUP,
				strlen(KUBEVIRT_GROUP)) == 0)
			return ref;
	}
	return NULL;
}

static void settled(struct vm_state *vm)
{
	vm->known = true;
	pod_reconcile(vm->m, vm->pod);
}

// Whether the answer is of use to anybody; err is tried again with the pod.
static bool usable(struct vm_state *vm, int err, const char *what, const char *message)
{
	vm->asking = false;
	if (vm->m == NULL) {
		free(vm);
		return false;
	}
	if (err == 0 || err == -ENOENT)
		return true;
	(void)log_warn(err, "cannot get the %s of pod '%s': %s", what, vm->pod,
		message != NULL ? message : "");
	vm->asked_at_end = false; // nothing is known of the end yet
	pod_state_get(vm->m, vm->pod)->retry = true;
	return false;
}

static void on_vm(void *arg, int status, const cJSON *answer, const char *message)
{
	struct vm_state *vm = arg;
	int err = kube_error(status, answer);

	if (!usable(vm, err, "virtual machine", message))
		return;
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(answer, "metadata");
	vm->gone = err == -ENOENT || strcmp(field_string(meta, "uid"), vm->uid) != 0 ||
		   cJSON_GetObjectItemCaseSensitive(meta, "deletionTimestamp") != NULL;
	settled(vm);
}

static void on_vmi(void *arg, int status, const cJSON *answer, const char *message)
{
	struct vm_state *vm = arg;
	int err = kube_error(status, answer);
	const cJSON *ref;

	if (!usable(vm, err, "virtual machine instance", message))
		return;
	ref = err == 0 ? owner_of(answer, "VirtualMachine") : NULL;
	if (ref == NULL) {
		settled(vm); // an instance without a machine keeps nothing
		return;
	}
	vm->owned = true;
	(void)snprintf(vm->name, sizeof(vm->name), "%s", field_string(ref, "name"));
	(void)snprintf(vm->uid, sizeof(vm->uid), "%s", field_string(ref, "uid"));
	(void)snprintf(
		vm->api_version, sizeof(vm->api_version), "%s", field_string(ref, "apiVersion"));
	ask(vm, "virtualmachines", vm->name, on_vm);
}

static const struct owner_ref *vmi_of(const struct pod *pod)
{
	for (size_t i = 0; i < pod->obj.meta.n_owners; i++) {
		const struct owner_ref *o = &pod->obj.meta.owners[i];
		if (o->kind != NULL && strcmp(o->kind, "VirtualMachineInstance") == 0 &&
			o->api_version != NULL &&
			strncmp(o->api_version, KUBEVIRT_GROUP, strlen(KUBEVIRT_GROUP)) == 0)
			return o;
	}
	return NULL;
}

enum vm_answer vm_owner(struct manager *m, struct pod_state *s, const struct pod *pod,
	struct pod_owner *ret_owner, bool *ret_gone)
{
	const struct owner_ref *vmi = m->remote ? vmi_of(pod) : NULL;
	struct vm_state *vm = s->vm;

	if (vmi == NULL)
		return VM_NONE;
	if (vm == NULL) {
		vm = s->vm = calloc(1, sizeof(*vm));
		if (vm == NULL)
			return VM_ASKING; // the next event tries again
		vm->m = m;
		memcpy(vm->pod, s->key, sizeof(vm->pod));
		strcpy(vm->namespace, pod->obj.meta.namespace);
	}
	if (!vm->asking && !vm->known) {
		ask(vm, "virtualmachineinstances", vmi->name, on_vmi);
	} else if (!vm->asking && vm->owned && pod->obj.meta.deleting && !vm->asked_at_end) {
		vm->asked_at_end = true; // the pod may go because its machine does
		ask(vm, "virtualmachines", vm->name, on_vm);
	}
	if (vm->asking || !vm->known)
		return VM_ASKING;
	if (!vm->owned)
		return VM_NONE;
	*ret_gone = vm->gone;
	*ret_owner = (struct pod_owner){.api_version = vm->api_version,
		.kind = "VirtualMachine",
		.name = vm->name,
		.uid = vm->uid,
		.stateful = true,
		.vm = true};
	return VM_OWNED;
}
