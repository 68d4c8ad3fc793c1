// Objects for tests, decoded from JSON.
#pragma once

#include "ctrl/model/object.h"

// An object of ours begins so, then its kind follows.
#define HEAD "{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":"

struct object *decoded(const char *text); // must succeed
void assert_refused(const char *text, const char *error);
// Decodes an object from the text of its members after metadata.name; must succeed. "more" is
// anything that follows, such as "\"status\":{…}" or "".
struct object *object_of(const char *kind, const char *name, const char *spec, const char *more);
