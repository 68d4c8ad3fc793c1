#include "ctrl/model/timestamp.h"

const char *timestamp(time_t at, char buf[TIMESTAMP_MAX])
{
	struct tm tm;

	(void)gmtime_r(&at, &tm);
	(void)strftime(buf, TIMESTAMP_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return buf;
}
