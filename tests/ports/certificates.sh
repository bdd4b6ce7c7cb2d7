#!/bin/sh
# Makes the keys and certificates of the port tests in the directory $1. All servers are called hub.localhost, but for
#   local, which a proxy must find by its own name lookup: localhost
#   rsa_* and ec_*  a root, an intermediate and a server each; the EC chain is signed with SHA-384 on P-384 throughout,
#                   rsa384 is an RSA server below an intermediate with SHA-384 and SHA-512 signatures
#   other           a root that signed nothing;   client_*  device certificates below their own root
# NAME_chain.pem is what NAME_server.pem needs to reach its root.
set -e
cd "$1"

key_rsa() { openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:"$2" -out "$1.key" 2>/dev/null ||
            openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:"$2" -out "$1.key" 2>/dev/null; }
key_ec()  { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:"$2" -out "$1.key"; }

root()   { openssl req -x509 -new -key "$1.key" -subj "/O=Port tests/CN=$1" -days 3650 -"$2" -out "$1.pem" \
               -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign; }
middle() { openssl req -x509 -new -key "$1.key" -subj "/O=Port tests/CN=$1" -days 3650 -"$3" -out "$1.pem" \
               -CA "$2.pem" -CAkey "$2.key" \
               -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign; }
leaf()   { openssl req -x509 -new -key "$1.key" -subj "/CN=$4" -days 3650 -"$3" -out "$1.pem" \
               -CA "$2.pem" -CAkey "$2.key" -addext basicConstraints=critical,CA:FALSE \
               -addext keyUsage=critical,digitalSignature ${5:+-addext "$5"}; }

key_rsa rsa_root 2048;      root rsa_root sha256
key_rsa rsa_middle 2048;    middle rsa_middle rsa_root sha256
key_rsa rsa_server 2048;    leaf rsa_server rsa_middle sha256 hub.localhost subjectAltName=DNS:hub.localhost
cp rsa_middle.pem rsa_chain.pem

key_rsa rsa384_middle 3072; middle rsa384_middle rsa_root sha384
cp rsa_server.key rsa384_server.key
leaf rsa384_server rsa384_middle sha512 hub.localhost subjectAltName=DNS:hub.localhost
cp rsa384_middle.pem rsa384_chain.pem

key_ec ec_root P-384;       root ec_root sha384
key_ec ec_middle P-384;     middle ec_middle ec_root sha384
key_ec ec_server P-256;     leaf ec_server ec_middle sha384 hub.localhost subjectAltName=DNS:hub.localhost
cp ec_middle.pem ec_chain.pem

key_ec wrong_server P-256;  leaf wrong_server ec_root sha256 hub.localhost subjectAltName=DNS:other.localhost
key_ec wild_server P-256;   leaf wild_server ec_root sha256 wild subjectAltName=DNS:*.localhost
key_ec deep_server P-256;   leaf deep_server ec_root sha256 deep subjectAltName=DNS:*.hub.localhost
key_rsa weak_server 1024;   leaf weak_server rsa_root sha256 hub.localhost subjectAltName=DNS:hub.localhost
cp rsa_server.key sha1_server.key
leaf sha1_server rsa_root sha1 hub.localhost subjectAltName=DNS:hub.localhost
cp ec_server.key no_ca_server.key
leaf no_ca_server ec_server sha256 hub.localhost subjectAltName=DNS:hub.localhost
cat ec_server.pem ec_middle.pem > no_ca_chain.pem
key_ec local_server P-256;  leaf local_server ec_root sha256 localhost subjectAltName=DNS:localhost
key_ec cn_server P-256;     leaf cn_server ec_root sha256 hub.localhost

key_ec other P-256;         root other sha256
cat other.pem ec_root.pem rsa_root.pem > several.pem
openssl x509 -in ec_root.pem -outform DER -out ec_root.der
openssl x509 -in rsa_root.pem -outform DER -out rsa_root.der
cat ec_root.der rsa_root.der > two.der

key_rsa client_root 2048;   root client_root sha256
key_rsa client_rsa 4096;    leaf client_rsa client_root sha256 device-rsa
key_ec client_ec P-384;     leaf client_ec client_root sha256 device-ec
for name in rsa ec; do cat client_$name.pem client_root.pem > client_${name}_chain.pem; done
openssl rsa -in client_rsa.key -traditional -out client_rsa_pkcs1.key 2>/dev/null
{ openssl ecparam -name P-384; openssl ec -in client_ec.key 2>/dev/null; } > client_ec_sec1.key
