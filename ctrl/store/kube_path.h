// Paths of an API server for kinds of object. Pure.
#pragma once

#include "ctrl/model/object.h"
#include "ctrl/store/store.h"

#define KUBE_PATH_MAX 8192 // with a query

// "/apis/networking.alibaba.com/v1/namespaces/NS/ipinstances", or of all namespaces: namespace NULL.
// A namespace "" is "default". 0; -EINVAL if it is no name, with nothing of use in path.
int kube_path_collection(enum kind kind, const char *namespace, char path[KUBE_PATH_MAX]);
// The path of one object; sub is NULL or "status".
int kube_path_object(const struct store_name *name, const char *sub, char path[KUBE_PATH_MAX]);
// Appends "?name=value" or "&name=value", escaped. -EMSGSIZE.
int kube_path_query(char path[KUBE_PATH_MAX], const char *name, const char *value);
// The name of an object, from its JSON. -EINVAL without one. Borrows from obj.
int kube_name_of(const cJSON *obj, struct store_name *ret_name);
