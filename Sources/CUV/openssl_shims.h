// What Swift cannot import of OpenSSL: macros around SSL_ctrl, BIO flags and option bits.
#pragma once
#include <openssl/bio.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

// The two ends of a session's BIO. OpenSSL reads twice for each record, so the reading end is C and nothing is counted.
typedef struct {
    // Ciphertext that has come and may be read during a call of OpenSSL's.
    const char *bytes;
    size_t count;
    // Gets what is to be sent; it takes all of it.
    void (*give)(void *session, const char *bytes, size_t count);
    void *session;
} ffwd_bio_ends;

static inline int ffwd_bio_read(BIO *bio, char *target, int room) {
    ffwd_bio_ends *ends = (ffwd_bio_ends *)BIO_get_data(bio);
    size_t count = (size_t)room;
    if (count > ends->count) count = ends->count;
    if (count == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(target, ends->bytes, count);
    ends->bytes += count;
    ends->count -= count;
    return (int)count;
}

static inline int ffwd_bio_write(BIO *bio, const char *bytes, int count) {
    ffwd_bio_ends *ends = (ffwd_bio_ends *)BIO_get_data(bio);
    if (count <= 0) return 0;
    ends->give(ends->session, bytes, (size_t)count);
    return count;
}

static inline long ffwd_bio_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

// A method table whose BIOs have ffwd_bio_ends as their data; NULL: out of memory.
static inline BIO_METHOD *ffwd_bio_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "ffwd session");
    if (method == NULL) return NULL;
    BIO_meth_set_read(method, ffwd_bio_read);
    BIO_meth_set_write(method, ffwd_bio_write);
    BIO_meth_set_ctrl(method, ffwd_bio_control);
    return method;
}

static inline long ffwd_ctx_min_tls12(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

// The output queue may move its buffers; a write that was refused would be tried again from another address.
static inline void ffwd_ctx_set_modes(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
}

static inline void ffwd_ctx_set_options(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
}

static inline void ffwd_ctx_server_preference(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
}

// Tickets go to the callback only.
static inline void ffwd_ctx_keep_tickets(SSL_CTX *context, int (*keep)(SSL *, SSL_SESSION *)) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep);
}

static inline long ffwd_ctx_add_chain(SSL_CTX *context, X509 *certificate) {
    return SSL_CTX_add1_chain_cert(context, certificate);
}

static inline long ffwd_set_server_name(SSL *ssl, const char *name) {
    return SSL_set_tlsext_host_name(ssl, name);
}

// Looks up what reads public keys, whatever their kind, and keeps nothing but what OpenSSL remembers.
static inline void ffwd_find_key_readers(void) {
    EVP_PKEY *key = NULL;
    OSSL_DECODER_CTX_free(
        OSSL_DECODER_CTX_new_for_pkey(&key, "DER", "SubjectPublicKeyInfo", NULL, EVP_PKEY_PUBLIC_KEY, NULL, NULL));
}
