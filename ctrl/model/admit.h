// What the admission rules of the kinds share, within ctrl/model.
#pragma once

#include "ctrl/model/admission.h"

// Writes the message and returns false, so that a rule can `return deny(message, …)`.
bool deny(char message[ADMISSION_MESSAGE_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

const struct network *view_network(const struct admission_view *view, const char *name);
const struct subnet_obj *view_subnet(const struct admission_view *view, const char *name);

#define VLAN_ID_MAX 4094
#define VNI_MAX 16777215
#define ASN_MAX 4294967295 // RFC 6793

// A name that the labels of IPInstances can hold; hybridnet fails at the first allocation instead.
bool admit_name(const struct meta *meta, char message[ADMISSION_MESSAGE_MAX]);
// The range by itself, with the messages of hybridnet's ValidateAddressRange in its order, and
// the rule that it lacks: version and CIDR are of one family.
bool admit_range(const struct subnet_obj *s, char message[ADMISSION_MESSAGE_MAX]);

// The first allocatable address, given or by default, is not behind the last one.
bool admit_order(const struct subnet_obj *s, char message[ADMISSION_MESSAGE_MAX]);
// Whether the same addresses are excluded, in whatever order.
bool ranges_exclude_same(const struct subnet_obj *a, const struct subnet_obj *b);
// Whether two Subnets share an address that both could allocate; without counting addresses.
bool subnets_overlap(const struct subnet_obj *a, const struct subnet_obj *b);
