#include "ctrl/store/kube_credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// A whole file of at most max bytes, malloc'ed and NUL-terminated.
static int read_file(const char *path, size_t max, char **ret_text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	char *text = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? malloc(max + 1) : NULL;
	while (text != NULL && len < max && (n = read(fd, text + len, max - len)) > 0)
		len += (size_t)n;
	int ret = text == NULL ? -EINVAL : n < 0 ? -errno : len == max ? -E2BIG : 0;
	(void)close(fd);
	if (ret < 0) {
		free(text);
		return ret;
	}
	text[len] = '\0';
	char *fit = realloc(text, len + 1);
	*ret_text = fit != NULL ? fit : text;
	return 0;
}

static int say(
	char message[MODEL_ERROR_MAX], const struct kube_secret *s, int err, const char *what)
{
	const char *where = s->path != NULL ? s->path : "the kubeconfig";

	(void)snprintf(message, MODEL_ERROR_MAX, "%s in '%.120s': %s", what, where,
		err == -EINVAL ? "there is none" : strerror(-err));
	return err;
}

// The secret's text as it is now, malloc'ed; NULL if there is no such secret.
static int load(const struct kube_secret *s, size_t max, char **ret_text)
{
	*ret_text = NULL;
	if (s->text != NULL) {
		*ret_text = strdup(s->text);
		return *ret_text != NULL ? 0 : -ENOMEM;
	}
	return s->path != NULL ? read_file(s->path, max, ret_text) : 0;
}

// A token is one word; a line break in it would end the header that carries it.
static int refresh_token(struct kube_credentials *c, bool *changed, char message[MODEL_ERROR_MAX])
{
	const struct kube_secret *s = &c->access->token;
	char *text;
	int ret = load(s, KUBE_TOKEN_MAX, &text);

	if (ret == 0 && text == NULL)
		return 0;
	if (ret == 0) {
		size_t len = strlen(text);
		while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
			text[--len] = '\0';
		for (size_t i = 0; i < len; i++) {
			if (text[i] <= ' ' || text[i] > '~')
				len = 0;
		}
		ret = len > 0 ? 0 : -EINVAL;
		if (ret < 0)
			free(text);
	}
	if (ret < 0)
		return say(message, s, ret, "token");
	if (c->token != NULL && strcmp(c->token, text) == 0) {
		free(text);
		return 0;
	}
	free(c->token);
	c->token = text;
	*changed = true;
	return 0;
}

// A file in memory with that text. Its descriptor, or -errno.
static int memory_file(const char *text)
{
	size_t len = strlen(text);
	int fd = memfd_create("pem", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len) {
		(void)close(fd);
		return -EIO;
	}
	return fd;
}

static int refresh_pem(const struct kube_secret *s, struct kube_pem *pem, const char *what,
	bool *changed, char message[MODEL_ERROR_MAX])
{
	char *text;
	int ret = load(s, KUBE_PEM_MAX, &text);

	if (ret == 0 && text == NULL)
		return 0;
	if (ret == 0 &&
		(strstr(text, "-----BEGIN ") == NULL || strstr(text, "-----END ") == NULL)) {
		free(text);
		ret = -EINVAL;
	}
	if (ret < 0)
		return say(message, s, ret, what);
	if (pem->text != NULL && strcmp(pem->text, text) == 0) {
		free(text);
		return 0;
	}
	int fd = memory_file(text);
	if (fd < 0) {
		free(text);
		return say(message, s, fd, what);
	}
	// Requests that are about to connect have the path of the version before.
	if (pem->old_fd >= 0)
		(void)close(pem->old_fd);
	pem->old_fd = pem->fd;
	pem->fd = fd;
	(void)snprintf(pem->path, sizeof(pem->path), "/proc/self/fd/%d", fd);
	free(pem->text);
	pem->text = text;
	*changed = true;
	return 0;
}

int kube_credentials_refresh(
	struct kube_credentials *c, bool *ret_changed, char message[MODEL_ERROR_MAX])
{
	const struct kube_access *a = c->access;
	bool changed = false;
	// All of them, also if one fails.
	int ret[] = {
		refresh_token(c, &changed, message),
		refresh_pem(&a->ca, &c->ca, "certificate authority", &changed, message),
		refresh_pem(&a->cert, &c->cert, "client certificate", &changed, message),
		refresh_pem(&a->key, &c->key, "client key", &changed, message),
	};

	*ret_changed = changed;
	for (size_t i = 0; i < sizeof(ret) / sizeof(ret[0]); i++) {
		if (ret[i] < 0)
			return ret[i];
	}
	return 0;
}

int kube_credentials_init(
	struct kube_credentials *c, const struct kube_access *access, char message[MODEL_ERROR_MAX])
{
	static const struct kube_pem none = {.fd = -1, .old_fd = -1};
	bool changed;

	*c = (struct kube_credentials){.access = access, .ca = none, .cert = none, .key = none};
	int ret = kube_credentials_refresh(c, &changed, message);
	if (ret < 0)
		kube_credentials_fini(c);
	return ret;
}

static void pem_fini(struct kube_pem *pem)
{
	if (pem->text != NULL)
		explicit_bzero(pem->text, strlen(pem->text));
	free(pem->text);
	if (pem->fd >= 0)
		(void)close(pem->fd);
	if (pem->old_fd >= 0)
		(void)close(pem->old_fd);
	*pem = (struct kube_pem){.fd = -1, .old_fd = -1};
}

void kube_credentials_fini(struct kube_credentials *c)
{
	if (c->token != NULL)
		explicit_bzero(c->token, strlen(c->token));
	free(c->token);
	c->token = NULL;
	pem_fini(&c->ca);
	pem_fini(&c->cert);
	pem_fini(&c->key);
}
