// ffwd-reference --kubeconfig FILE pod/NAME [LOCAL]:REMOTE...
#include "reference.h"

#include <openssl/evp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("reference: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void check_uv(int code, const char *attempt) {
    if (code < 0) die("%s: %s", attempt, uv_strerror(code));
}

static char *read_file(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) die("cannot read %s", path);
    enum { file_bytes_max = 64 << 10 };
    char *text = calloc(1, file_bytes_max);
    if (!text || fread(text, 1, file_bytes_max - 1, file) == 0) die("cannot read %s", path);
    fclose(file);
    return text;
}

// The first value behind `key: ` in a kubeconfig of one cluster and one user; NULL: there is none.
static char *find_value(const char *text, const char *key) {
    const char *at = strstr(text, key);
    if (!at) return NULL;
    at += strlen(key);
    return strndup(at, strcspn(at, "\n"));
}

static char *find_pem(const char *text, const char *key) {
    char *encoded = find_value(text, key);
    if (!encoded) return NULL;
    size_t bytes = strlen(encoded);
    char *pem = calloc(1, bytes + 4);
    if (!pem || EVP_DecodeBlock((unsigned char *)pem, (unsigned char *)encoded, (int)bytes) < 0)
        die("%s is no base64", key);
    free(encoded);
    return pem;
}

static void end_of_turn(uv_check_t *handle) {
    (void)handle;
    tunnel_end_turn();
}


int main(int count, char **arguments) {
    if (count < 5 || strcmp(arguments[1], "--kubeconfig") != 0 || strncmp(arguments[3], "pod/", 4) != 0)
        die("usage: ffwd-reference --kubeconfig FILE pod/NAME [LOCAL]:REMOTE...");
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    char *config = read_file(arguments[2]);
    struct credentials credentials = {
        .authority_pem = find_pem(config, "certificate-authority-data: "),
        .certificate_pem = find_pem(config, "client-certificate-data: "),
        .key_pem = find_pem(config, "client-key-data: "),
        .token = find_value(config, "token: "),
    };
    char *server = find_value(config, "server: https://");
    char *colon = server ? strchr(server, ':') : NULL;
    if (!credentials.authority_pem || !colon) die("no server by address with its authority in %s", arguments[2]);
    char path[256];
    snprintf(path, sizeof path, "/api/v1/namespaces/default/pods/%s/portforward", arguments[3] + 4);
    char *authority = strdup(server);
    *colon = 0;

    uv_loop_t *loop = uv_default_loop();
    tls_connect(server, atoi(colon + 1), &credentials);
    tunnel_upgrade(path, authority, credentials.token);
    tls_start_polling(loop);
    uv_check_t check;
    uv_check_init(loop, &check);
    uv_check_start(&check, end_of_turn);
    for (int i = 4; i < count; i++) {
        char *remote = strchr(arguments[i], ':');
        if (!remote) die("%s: LOCAL:REMOTE", arguments[i]);
        int local = local_listen(loop, atoi(arguments[i]), remote + 1);
        printf("Forwarding from 127.0.0.1:%d -> %s\n", local, remote + 1);
    }
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
