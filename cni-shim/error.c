#include "cni-shim/error.h"

#include <stdarg.h>
#include <stdio.h>

#include <cjson/cJSON.h>

int cni_fail(struct cni_error *err, int code, const char *details, const char *format, ...)
{
	va_list ap;

	err->code = code;
	(void)snprintf(err->details, sizeof(err->details), "%s", details);
	va_start(ap, format);
	(void)vsnprintf(err->msg, sizeof(err->msg), format, ap);
	va_end(ap);
	return code;
}

void cni_error_print(const struct cni_error *err, const char *cni_version)
{
	cJSON *obj = cJSON_CreateObject();

	cJSON_AddStringToObject(obj, "cniVersion", cni_version);
	cJSON_AddNumberToObject(obj, "code", err->code);
	cJSON_AddStringToObject(obj, "msg", err->msg);
	if (err->details[0] != '\0')
		cJSON_AddStringToObject(obj, "details", err->details);

	char *text = cJSON_PrintUnformatted(obj);
	if (text != NULL)
		puts(text);
	cJSON_free(text);
	cJSON_Delete(obj);
}
