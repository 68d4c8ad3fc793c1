// Pod: the few fields of core/v1 that address management and attachment need.
#pragma once

#include "ctrl/model/object.h"

struct pod {
	struct object obj;
	char node_name[NAME_MAX_LEN]; // "": not scheduled
	bool host_network;
	char phase[16];
	char reason
		[32]; // status.reason: "Evicted"; "" as well if it is longer than any that matters
	bool any_container_running; // or init or ephemeral container
	bool all_containers_have_status;
};

// The owner that controls the pod, NULL if none does.
const struct owner_ref *pod_controller(const struct pod *pod);

// Annotation and label keys (section 2 of hybridnet's model), without the prefix "networking.alibaba.com/".
#define ANNOTATION_PREFIX "networking.alibaba.com/"
#define ANNOTATION_SPECIFIED_NETWORK ANNOTATION_PREFIX "specified-network"
#define ANNOTATION_SPECIFIED_SUBNET ANNOTATION_PREFIX "specified-subnet"
#define ANNOTATION_NETWORK_TYPE ANNOTATION_PREFIX "network-type"
#define ANNOTATION_IP_FAMILY ANNOTATION_PREFIX "ip-family"
#define ANNOTATION_IP_POOL ANNOTATION_PREFIX "ip-pool"
#define ANNOTATION_MAC_POOL ANNOTATION_PREFIX "mac-pool"
#define ANNOTATION_IP_RETAIN ANNOTATION_PREFIX "ip-retain"
#define ANNOTATION_HANDLED_BY_WEBHOOK ANNOTATION_PREFIX "handled-by-webhook"
#define ANNOTATION_PORT_KIND "strata.networking.alibaba.com/port-kind" // "afxdp" or "vhost-user"
