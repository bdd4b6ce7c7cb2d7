#include "conformance_tls.h"

#include <stdexcept>

#include <signal.h>

namespace {

/* OpenSSL writes to its socket with SIGPIPE; the port under test shall not be spared it, so only the peer's own calls are. */
struct NoSignal {
    NoSignal() : before(signal(SIGPIPE, SIG_IGN)) {}
    ~NoSignal() { signal(SIGPIPE, before); }
    void (*before)(int);
};

}

TlsPeer::TlsPeer(const std::string &certificate, const std::string &key, const std::string &chain)
    : peer(), plain(false), tcp(), settings(SSL_CTX_new(TLS_server_method())), ssl(nullptr), silent(false), out()
{
    conformance_tcp_begin(&tcp);
    tcp.silent_after_accept = 1;
    peer.context = this;
    peer.expect = expect;
    peer.send = send;
    peer.receive = receive;
    peer.end = end;
    peer.step = step;
    peer.milliseconds = milliseconds;
    SSL_CTX_set_mode(settings, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_use_certificate_chain_file(settings, certificate.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(settings, key.c_str(), SSL_FILETYPE_PEM) != 1) {
        throw std::runtime_error("certificate of the TLS peer");
    }
    if (!chain.empty()) {
        BIO *file = BIO_new_file(chain.c_str(), "r");
        X509 *middle = PEM_read_bio_X509(file, nullptr, nullptr, nullptr);
        SSL_CTX_add_extra_chain_cert(settings, middle);
        BIO_free(file);
    }
}

TlsPeer::~TlsPeer()
{
    drop();
    conformance_tcp_drop_all(&tcp);
    SSL_CTX_free(settings);
}

void TlsPeer::drop()
{
    SSL_free(ssl);
    ssl = nullptr;
    out.clear();
}

/* A connection, and its handshake as far as it goes. */
bool TlsPeer::ready()
{
    conformance_tcp_accept(&tcp);
    if (silent || plain || tcp.taken == CONFORMANCE_NO_SOCKET) {
        return false;
    }
    if (ssl == nullptr) {
        ssl = SSL_new(settings);
        SSL_set_fd(ssl, static_cast<int>(tcp.taken));
        SSL_set_accept_state(ssl);
    }
    return SSL_is_init_finished(ssl) || SSL_do_handshake(ssl) == 1;
}

bool TlsPeer::flush()
{
    while (!out.empty()) {
        const int put = SSL_write(ssl, out.data(), static_cast<int>(out.size()));
        if (put <= 0) {
            return false;
        }
        out.erase(0, static_cast<size_t>(put));
    }
    return true;
}

unsigned int TlsPeer::expect(void *context, int how)
{
    TlsPeer *self = static_cast<TlsPeer *>(context);
    self->drop();
    self->silent = how == CONFORMANCE_SILENCE;
    return conformance_tcp_expect(&self->tcp, how);
}

int TlsPeer::send(void *context, const unsigned char *bytes, unsigned int size)
{
    NoSignal quiet;
    TlsPeer *self = static_cast<TlsPeer *>(context);
    if (!self->ready() || !self->flush()) {
        return 0;
    }
    self->out.assign(reinterpret_cast<const char *>(bytes), size);
    self->flush();
    return static_cast<int>(size);
}

int TlsPeer::receive(void *context, unsigned char *bytes, unsigned int capacity)
{
    NoSignal quiet;
    TlsPeer *self = static_cast<TlsPeer *>(context);
    if (!self->ready()) {
        return 0;
    }
    const int got = SSL_read(self->ssl, bytes, static_cast<int>(capacity));
    return got > 0 ? got : SSL_get_error(self->ssl, got) == SSL_ERROR_WANT_READ ? 0 : -1;
}

void TlsPeer::end(void *context, int cut)
{
    NoSignal quiet;
    TlsPeer *self = static_cast<TlsPeer *>(context);
    if (!cut && self->ready() && self->flush()) {
        SSL_shutdown(self->ssl);
    }
    self->drop();
    conformance_tcp_end(&self->tcp, cut);
}

void TlsPeer::step(void *context)
{
    NoSignal quiet;
    TlsPeer *self = static_cast<TlsPeer *>(context);
    conformance_tcp_step(&self->tcp);
    if (self->ready()) {
        self->flush();
    }
    ERR_clear_error();
}
