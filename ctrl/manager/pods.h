// A look at a pod, and the steps that follow from it: pods.c looks, pod_end.c ends, pod_live.c gives
// addresses.
#pragma once

#include "ctrl/manager/state.h"

#define INSTANCES_MAX 8 // of one pod that are looked at; two are right

// Everything a step is decided on.
struct look {
	struct manager *m;
	struct pod_state *s;
	char namespace[64], name[NAME_MAX_LEN];
	const struct pod *pod; // NULL: gone
	struct pod_owner owner;
	bool retain; // addresses outlive the pod
	const char *pool; // its ip-pool, if it has one that counts; borrowed from the pod
	bool vm_gone; // the virtual machine whose pod it is
	bool vm_elsewhere; // its addresses are another pod's, as while it migrates
	const struct ipinstance *mine[INSTANCES_MAX]; // bound to this very pod
	// Reserved, or bound to an earlier pod of the name.
	const struct ipinstance *others[INSTANCES_MAX];
	size_t n_mine, n_others;
	bool any_deleting;
};

void pod_step_gone(const struct look *l); // there is no pod object
void pod_step_end(const struct look *l); // it is terminating, evicted or completed
void pod_step_live(const struct look *l);

// Whether an IPInstance of the pod is there and not in force, for another has its address; doubled.h
// says whose that is. Until then the pod gets no other.
bool pod_has_rival(const struct look *l);
void pod_delete_instances(const struct look *l, const struct ipinstance *const *ip, size_t n);
void pod_set_finalizer(const struct look *l, bool present);
// "[10.0.0.5/24 fd00::5/120]"
#define POD_IPS_MAX (INSTANCES_MAX * CIDR_TEXT_MAX + 3)
void pod_ips_text(const struct ipinstance *const *ip, size_t n, char text[POD_IPS_MAX]);
