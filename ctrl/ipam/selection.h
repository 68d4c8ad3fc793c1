// Which Network, Subnets, type and family a pod asks for, by priority: what is kept from its former
// life, its own annotations and labels, its Namespace's, the defaults. Pure; the manager, the
// webhooks and the daemon get the same answer from the same objects.
//
// The rules and messages are hybridnet's (ParseNetworkConfigOfPodByPriority).
#pragma once

#include "ctrl/ipam/ipam.h"
#include "ctrl/model/ipinstance.h"
#include "ctrl/model/pod.h"

#define SELECTION_ERROR_MAX 512

// What the operator set; texts are borrowed, NULL or "" where he did not.
struct selection_conf {
	const char *network_type; // DEFAULT_NETWORK_TYPE; not set: Underlay
	const char *ip_family; // DEFAULT_IP_FAMILY; not set: IPv4
	const char *stateful_kinds; // comma list of kinds whose pods keep their addresses
	const char *pod_selector; // pods that are cared for; pod_selector.h
	bool ip_retain; // for pods that do not say themselves
};

// Objects by name, as the caller sees them; NULL: there is none. Borrowed until the answer is used.
struct selection_lookup {
	const struct network *(*network)(void *arg, const char *name);
	const struct subnet_obj *(*subnet)(void *arg, const char *name);
	void *arg;
};

struct selection {
	char network[NAME_MAX_LEN]; // "": the Network of that type that the node has
	char subnets[2 * NAME_MAX_LEN]; // as asked for: "", "a" or "a/b"
	char subnet4[NAME_MAX_LEN], subnet6[NAME_MAX_LEN]; // the same, by family
	enum network_type type;
	enum ip_family family;
	const struct key_values
		*node_selector; // of the Network if it is known; borrowed, may be NULL
	bool retained; // there are addresses from a former life
};

// Whether an item stands in a list separated by commas.
bool selection_in_list(const char *list, const char *item);
// What Go's strconv.ParseBool takes; false for anything else.
bool selection_parse_bool(const char *text, bool *ret);
// Whether a kind that controls the pod keeps its addresses, and whether this pod's outlive it.
bool selection_is_stateful(const struct selection_conf *conf, const struct pod *pod);
bool selection_retains(const struct selection_conf *conf, const struct pod *pod);
// The annotation key of an object, or else its label of that key; NULL if neither says anything.
const char *selection_said(const struct object *obj, const char *key);
// "Underlay", "Overlay", "GlobalBGP", any case.
bool selection_parse_type(const char *text, enum network_type *ret_type);
const char *selection_type_text(enum network_type type);
const char *selection_family_text(enum ip_family family); // "IPv4Only", "IPv6Only", "DualStack"

// kept: the IPInstances, none of them being deleted, that the pod takes over: with its name's label
// in its namespace if selection_retains(); those of its virtual machine. namespace: the pod's, NULL
// if it is not known (then it asks for nothing). False with error in hybridnet's words.
bool selection_make(const struct selection_conf *conf, const struct selection_lookup *lookup,
	const struct pod *pod, const struct object *namespace, const struct ipinstance *const *kept,
	size_t n_kept, struct selection *ret_selection, char error[SELECTION_ERROR_MAX]);
