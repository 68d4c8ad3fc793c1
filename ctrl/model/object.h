// What all kinds of object have in common, and the kinds themselves. An object arrives as JSON
// (apiVersion, kind, metadata, spec, status) and is decoded into a plain struct; decoders are
// pure and trust nothing.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#define API_GROUP "networking.alibaba.com"
#define API_VERSION "networking.alibaba.com/v1"

enum kind {
	KIND_NETWORK,
	KIND_SUBNET,
	KIND_IPINSTANCE,
	KIND_NODEINFO,
	KIND_POD,
	KIND_NODE, // of it and of a Namespace the metadata is all that is decoded
	KIND_NAMESPACE,
	KIND_COUNT
};

// "Network", "networks", true when objects of the kind live in a namespace.
const char *kind_name(enum kind kind);
const char *kind_plural(enum kind kind); // NodeInfo: "nodeinfoes"
const char *kind_api_version(enum kind kind); // Pod: "v1"
bool kind_namespaced(enum kind kind);
// Whether people and the dir store may have objects of the kind: not Nodes and Namespaces, which
// exist under an API server only. Without one the labels of a NodeInfo stand for its node's.
bool kind_in_dir(enum kind kind);
// By the object's "kind" and "apiVersion", or by any form a person types ("network", "networks", "subnet",
// "ipinstances", "nodeinfo", "nodeinfoes", case-insensitive; only of a kind_in_dir()). -EINVAL if
// unknown.
int kind_of_object(const cJSON *obj, enum kind *ret_kind);
int kind_parse(const char *text, enum kind *ret_kind);

// Longest name of an object (DNS subdomain) and text of an error, with their NUL.
#define NAME_MAX_LEN 254
#define MODEL_ERROR_MAX 256
// Longest text that is kept as written because admission, not the decoder, judges it; with NUL.
#define MODEL_TEXT_MAX 128
// Longest value of a label, and longest namespace (a DNS label), with NUL.
#define LABEL_MAX_LEN 64

struct key_value {
	char *key;
	char *value;
};

struct key_values { // labels, annotations, selectors; in the object's order
	struct key_value *kv; // owned
	size_t n;
};
const char *key_values_get(const struct key_values *kvs, const char *key); // NULL if absent
// Adds or replaces a pair: 0 or -ENOMEM, then nothing has changed.
int key_values_set(struct key_values *kvs, const char *key, const char *value);
void key_values_del(struct key_values *kvs, const char *key);
// Whether every pair of the selector is in labels (an empty selector selects everything).
bool key_values_select(const struct key_values *selector, const struct key_values *labels);

struct owner_ref {
	char *api_version, *kind, *name, *uid; // owned
	bool controller;
	bool block_owner_deletion;
};

// The texts here and in an IPInstance are behind the struct in one block with it: there may be a
// hundred thousand. "" if there is none.
struct meta {
	const char *name;
	const char *namespace; // "" for cluster-scoped kinds
	const char *uid;
	const char *resource_version;
	const char *creation_time; // RFC 3339 as written; "" for what no store has yet
	struct key_values labels, annotations;
	struct owner_ref *owners; // owned
	size_t n_owners;
	char **finalizers; // owned
	size_t n_finalizers;
	bool deleting; // metadata.deletionTimestamp is set
	bool has_generation;
	int64_t generation;
};

// A decoded object of any kind. The concrete structs begin with `struct object`.
struct object {
	enum kind kind;
	struct meta meta;
};

// Decodes obj into a new object of its kind: a struct network, subnet, … (ret->kind says which).
// Returns 0, or a negative errno: -EINVAL when the object is malformed; error then says what is
// wrong, naming the field and the value. Fields that the kind does not have are not an error
// here: object_unknown_field() finds them. *ret_obj is untouched on failure.
int object_decode(const cJSON *json, struct object **ret_obj, char error[MODEL_ERROR_MAX]);
// An object that has nothing but its name; NULL without memory.
struct object *object_named(enum kind kind, const char *name);
void object_free(struct object *obj); // accepts NULL
// Takes obj and returns it, in another place, without labels, annotations, owners, finalizers and uid, and
// an IPInstance without other objects' uids, sandbox and the time of its status: of none of them it has
// any then. Cannot fail.
struct object *object_shed(struct object *obj);

// The path of the first field that the kind does not know ("spec.rnage"), or NULL. Only kinds of
// our own group are checked; metadata is not, and the status only if asked for.
const char *object_unknown_field(const cJSON *json, bool status, char buf[MODEL_ERROR_MAX]);

// "namespace/name" or "name".
void meta_key(const struct meta *meta, char *buf, size_t len);

// Typed views; the caller has looked at obj->kind.
#define OBJECT_AS(type, obj) ((struct type *)(obj))

// ── Addresses ──────────────────────────────────────────────────────────────────────────────────
// All addresses are struct in6_addr; IPv4 ones are IPv4-mapped.

// "10.0.0.1" or "fd00::1" → 0; -EINVAL.
int ip_parse(const char *text, struct in6_addr *ret_ip);
// Into dotted or RFC 5952 form.
#define IP_TEXT_MAX 46
const char *ip_text(const struct in6_addr *ip, char buf[IP_TEXT_MAX]);
static inline bool ip_is_v4(const struct in6_addr *ip)
{
	return IN6_IS_ADDR_V4MAPPED(ip);
}
int ip_cmp(const struct in6_addr *a, const struct in6_addr *b); // as memcmp: big-endian order
// The address n after ip (n may be negative), false if that leaves the 128 bits (or IPv4's 32).
bool ip_add(const struct in6_addr *ip, int64_t n, struct in6_addr *ret_ip);

struct cidr {
	struct in6_addr ip; // host bits as given
	uint8_t len; // of the IPv6 form: IPv4's + 96
};
// "10.0.0.5/16" → 0 (host bits kept); -EINVAL.
int cidr_parse(const char *text, struct cidr *ret_cidr);
#define CIDR_TEXT_MAX 50
const char *cidr_text(const struct cidr *cidr, char buf[CIDR_TEXT_MAX]);
bool cidr_contains(const struct cidr *cidr, const struct in6_addr *ip);
struct in6_addr cidr_first(const struct cidr *cidr); // network address
struct in6_addr cidr_last(const struct cidr *cidr); // all host bits one

// "02:12:34:56:78:9a", "02-12-34-56-78-9a", "0212.3456.789a" → 0; -EINVAL. Text is lower case with
// colons.
int mac_parse(const char *text, uint8_t ret_mac[6]);
#define MAC_TEXT_MAX 18
const char *mac_text(const uint8_t mac[6], char buf[MAC_TEXT_MAX]);
