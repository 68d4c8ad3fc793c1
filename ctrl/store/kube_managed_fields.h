// What fills a third of an object and nobody here reads (metadata.managedFields) is taken out of its text
// before that is parsed. Pure.
#pragma once

#include <stddef.h>

// Writes 0 and blanks over the value, if text is an object that has it; what is no JSON stays as it is, or
// no JSON.
void kube_blank_managed_fields(char *text, size_t len);
