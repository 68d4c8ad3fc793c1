// Names and texts of drop reasons.
#include "vswitch/drop.h"

#include <assert.h>

static const struct {
	const char *name, *text;
} reasons[] = {
#define DROP_ENTRY(name, text) {#name, text},
	DROP_REASONS(DROP_ENTRY)
#undef DROP_ENTRY
};
static_assert(sizeof(reasons) / sizeof(reasons[0]) == DROP_REASON_COUNT);

const char *drop_name(enum drop_reason reason)
{
	assert(reason < DROP_REASON_COUNT);
	return reasons[reason].name;
}

const char *drop_text(enum drop_reason reason)
{
	assert(reason < DROP_REASON_COUNT);
	return reasons[reason].text;
}
