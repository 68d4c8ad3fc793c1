// What a server's answer means. Pure.
#include <errno.h>
#include <string.h>

#include "ctrl/store/kube_client.h"

const char *kube_reason(const cJSON *answer)
{
	const char *reason =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "reason"));

	return reason != NULL ? reason : "";
}

int kube_error(int status, const cJSON *answer)
{
	switch (status) {
	case 400:
	case 413:
	case 415:
	case 422:
		return -EINVAL;
	case 401:
	case 403:
		return -EACCES;
	case 404:
		return -ENOENT;
	case 409:
		return strcmp(kube_reason(answer), "AlreadyExists") == 0 ? -EEXIST : -ESTALE;
	case 410:
		return -ESTALE;
	case 429:
		return -EAGAIN;
	default:
		return status < 0 ? status : status >= 200 && status < 300 ? 0 : -EIO;
	}
}
