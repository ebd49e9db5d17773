// TLS over a BIO of our own, so that system calls are as large and as few as they can be.
//
// One receive brings a batch of records, which OpenSSL takes one by one; records to be sent gather in one buffer, which
// leaves in one call.
#include "reference.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { gathered_bytes_max = to_pod_high_bytes + 3 * batch_bytes, receive_bytes = batch_bytes };

static SSL *ssl;
static int descriptor = -1;
static uv_poll_t poll_handle;
static bool is_polling, reads, is_drained;

static char gathered[gathered_bytes_max];
static size_t gathered_from, gathered_to;

static char received[receive_bytes];
static size_t received_from, received_to;

static _Noreturn void die_tls(const char *attempt) {
    die("%s: %s", attempt, ERR_reason_error_string(ERR_peek_last_error()));
}

static size_t receive(char *target, size_t room) {
    ssize_t count = recv(descriptor, target, room, 0);
    if (count == 0) die("the server has ended the connection");
    if (count < 0 && errno != EAGAIN) die("receive: %s", strerror(errno));
    is_drained = count < (ssize_t)room;
    return count < 0 ? 0 : (size_t)count;
}

static int bio_read(BIO *bio, char *target, int room) {
    BIO_clear_retry_flags(bio);
    if (received_from == received_to && !is_polling) tls_fill();
    size_t there = received_to - received_from;
    ssize_t count = there < (size_t)room ? (ssize_t)there : room;
    memcpy(target, received + received_from, (size_t)count);
    received_from += (size_t)count;
    if (count > 0) return (int)count;
    BIO_set_retry_read(bio);
    return -1;
}

void tls_fill(void) {
    if (!is_polling) tls_flush();
    received_from = 0;
    received_to = receive(received, sizeof received);
}

bool tls_is_drained(void) { return is_drained; }

static int bio_write(BIO *bio, const char *source, int count) {
    BIO_clear_retry_flags(bio);
    size_t bytes = (size_t)count;
    if (gathered_to + bytes > sizeof gathered) {
        memmove(gathered, gathered + gathered_from, gathered_to - gathered_from);
        gathered_to -= gathered_from;
        gathered_from = 0;
        if (gathered_to + bytes > sizeof gathered) die("more ciphertext than can be gathered");
    }
    memcpy(gathered + gathered_to, source, bytes);
    gathered_to += bytes;
    return count;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO *open_pem(const char *text) { return BIO_new_mem_buf(text, -1); }

static SSL_CTX *make_context(const struct credentials *given) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context) die_tls("make a TLS context");
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    BIO *pem = open_pem(given->authority_pem);
    X509 *authority = PEM_read_bio_X509(pem, NULL, NULL, NULL);
    if (!authority || !X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority)) die_tls("take the authority");
    X509_free(authority);
    BIO_free(pem);
    if (given->certificate_pem && given->key_pem) {
        pem = open_pem(given->certificate_pem);
        X509 *certificate = PEM_read_bio_X509(pem, NULL, NULL, NULL);
        BIO_free(pem);
        pem = open_pem(given->key_pem);
        EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, NULL, NULL);
        BIO_free(pem);
        if (!certificate || !key || SSL_CTX_use_certificate(context, certificate) != 1 ||
            SSL_CTX_use_PrivateKey(context, key) != 1)
            die_tls("take the client certificate");
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
    return context;
}

void tls_connect(const char *host, int port, const struct credentials *credentials) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) die("%s is no IPv4 address", host);
    descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect to %s:%d: %s", host, port, strerror(errno));
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));

    SSL_CTX *context = make_context(credentials);
    ssl = SSL_new(context);
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "reference");
    if (!ssl || !method) die_tls("make a TLS session");
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_control);
    BIO *bio = BIO_new(method);
    if (!bio) die_tls("make a BIO");
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    SSL_set_connect_state(ssl);
    // The socket blocks until polling starts.
    if (SSL_do_handshake(ssl) != 1) die_tls("TLS handshake");
    tls_flush();
}

size_t tls_read(char *target, size_t room) {
    size_t count = 0;
    int code = SSL_read_ex(ssl, target, room, &count);
    if (code == 1) return count;
    if (SSL_get_error(ssl, code) != SSL_ERROR_WANT_READ) die_tls("TLS read");
    return 0;
}

void tls_write(const char *plaintext, size_t bytes) {
    size_t count = 0;
    if (SSL_write_ex(ssl, plaintext, bytes, &count) != 1) die_tls("TLS write");
    if (gathered_to - gathered_from >= gathered_bytes) tls_flush();
}

size_t tls_backlog_bytes(void) { return gathered_to - gathered_from; }

static void polled(uv_poll_t *handle, int status, int events);

static void update_polling(void) {
    int events = (reads ? UV_READABLE : 0) | (gathered_to > gathered_from ? UV_WRITABLE : 0);
    if (events) uv_poll_start(&poll_handle, events, polled);
    else uv_poll_stop(&poll_handle);
}

void tls_flush(void) {
    static bool is_blocked;
    while (gathered_from < gathered_to) {
        ssize_t count = send(descriptor, gathered + gathered_from, gathered_to - gathered_from, MSG_NOSIGNAL);
        if (count < 0) {
            if (errno != EAGAIN) die("send: %s", strerror(errno));
            break;
        }
        gathered_from += (size_t)count;
    }
    if (gathered_from == gathered_to) gathered_from = gathered_to = 0;
    bool blocks = gathered_to > 0;
    if (blocks == is_blocked) return;
    is_blocked = blocks;
    update_polling();
}

static void polled(uv_poll_t *handle, int status, int events) {
    (void)handle;
    check_uv(status, "poll");
    // What is writable is written at the end of the turn.
    if (events & UV_READABLE && reads) {
        tunnel_readable();
    }
}

void tls_start_polling(uv_loop_t *loop) {
    fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    check_uv(uv_poll_init(loop, &poll_handle, descriptor), "poll the tunnel");
    is_polling = true;
    tls_poll_reading(true);
}

void tls_poll_reading(bool is_on) {
    if (reads == is_on) return;
    reads = is_on;
    update_polling();
}
