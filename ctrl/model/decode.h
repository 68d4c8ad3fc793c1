// The decoders of each kind, for object.c. Each fills a zeroed struct whose meta is already
// there; on failure the reader has the error and object_free() cleans up.
#pragma once

#include "ctrl/model/field.h"
#include "ctrl/model/ipinstance.h"
#include "ctrl/model/network.h"
#include "ctrl/model/nodeinfo.h"
#include "ctrl/model/pod.h"
#include "ctrl/model/subnet.h"

void meta_decode(struct reader *r, const cJSON *json, bool namespaced, struct meta *meta);
void meta_fini(struct meta *meta);
void key_values_fini(struct key_values *kvs);
void texts_fini(char **texts, size_t n);

void network_decode(struct reader *r, const cJSON *json, struct network *n);
void network_fini(struct network *n);
void subnet_decode(struct reader *r, const cJSON *json, struct subnet_obj *s);
void subnet_fini(struct subnet_obj *s);
void ipinstance_decode(struct reader *r, const cJSON *json, struct ipinstance *i);
void ipinstance_shed(struct ipinstance *i); // of object_shed()
void nodeinfo_decode(struct reader *r, const cJSON *json, struct nodeinfo *n);
void nodeinfo_fini(struct nodeinfo *n);
void pod_decode(struct reader *r, const cJSON *json, struct pod *p);
