// Elements are separated by commas and found by counting them, so that only the one that is asked
// for is judged: the others are other pods'.
#include "ctrl/manager/pools.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/model/object.h"

#define ELEMENT_MAX 128

__attribute__((format(printf, 2, 3))) static bool refuse(
	char error[POOL_ERROR_MAX], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(error, POOL_ERROR_MAX, format, ap);
	va_end(ap);
	return false;
}

int32_t pool_ordinal(const char *pod_name)
{
	const char *dash = strrchr(pod_name, '-');
	char *end;

	if (dash == NULL || dash[1] < '0' || dash[1] > '9')
		return INT32_MAX;
	long n = strtol(dash + 1, &end, 10);
	return *end == '\0' && n < INT32_MAX ? (int32_t)n : INT32_MAX;
}

// Whether there is an element of that ordinal; without the blanks around it.
static bool element(const char *pool, int32_t ordinal, char ret[ELEMENT_MAX])
{
	for (int32_t i = 0; i < ordinal; i++) {
		pool += strcspn(pool, ",");
		if (*pool == '\0')
			return false;
		pool++;
	}
	pool += strspn(pool, " ");
	int len = (int)strcspn(pool, ", ");
	(void)snprintf(ret, ELEMENT_MAX, "%.*s", len, pool);
	return true;
}

bool pool_ips(const char *pool, int32_t ordinal, struct in6_addr ret_ip[2], size_t *ret_n,
	char error[POOL_ERROR_MAX])
{
	char text[ELEMENT_MAX];
	struct in6_addr ip[2];
	size_t n = 0;

	if (!element(pool, ordinal, text))
		return refuse(error, "unable to find assigned ip in ip-pool %.100s by index %d",
			pool, ordinal);
	if (text[0] == '\0')
		return refuse(error, "the %d assigned ip section is empty in ip-pool %.100s",
			ordinal, pool);
	for (char *part = text; part != NULL; n++) {
		char *slash = strchr(part, '/');

		if (slash != NULL)
			*slash = '\0';
		if (n == 2 || ip_parse(part, &ip[n]) < 0)
			return refuse(error, "the assigned ip %s is illegal", part);
		part = slash != NULL ? slash + 1 : NULL;
	}
	memcpy(ret_ip, ip, n * sizeof(*ip));
	*ret_n = n;
	return true;
}

bool pool_mac(const char *pool, int32_t ordinal, uint8_t ret_mac[6], char error[POOL_ERROR_MAX])
{
	char text[ELEMENT_MAX];

	if (!element(pool, ordinal, text))
		return refuse(error,
			"unable to find assigned mac address in mac pool %.100s by index %d", pool,
			ordinal);
	if (text[0] == '\0')
		return refuse(error, "the %d assigned mac address is empty in mac pool %.100s",
			ordinal, pool);
	if (mac_parse(text, ret_mac) < 0)
		return refuse(error, "the assigned mac address %s is illegal", text);
	return true;
}
