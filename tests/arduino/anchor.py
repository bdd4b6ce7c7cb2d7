"""Prints the EC root in a PEM file as a BearSSL anchor, for arduino_secrets.h: anchor.py FILE"""
import subprocess
import sys


def openssl(*words, data=None):
    return subprocess.run(["openssl", *words], input=data, stdout=subprocess.PIPE, check=True).stdout


def table(name, data):
    return "static const unsigned char %s[] = { %s };" % (name, ", ".join("0x%02X" % byte for byte in data))


def element(data, at):
    """(start of the content, end) of the DER element at this place."""
    length, start = data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[start:start + count], "big"), start + count
    return start, start + length


der = openssl("x509", "-in", sys.argv[1], "-outform", "DER")
start, end = element(der, element(der, 0)[0])              # tbsCertificate
parts = []
while start < end:
    parts.append((start, element(der, start)[1]))
    start = parts[-1][1]
subject = der[slice(*parts[5])]                            # version, serial, algorithm, issuer, validity, subject
key = openssl("pkey", "-pubin", "-outform", "DER", data=openssl("x509", "-in", sys.argv[1], "-noout", "-pubkey"))
assert b"\x2a\x86\x48\xce\x3d\x03\x01\x07" in key and len(key) == 91, "not a key on P-256"
print("#include <bearssl/bearssl.h>")
print(table("test_root_name", subject).replace("const ", "", 1))
print(table("test_root_key", key[-65:]).replace("const ", "", 1))
print("""static const br_x509_trust_anchor test_root = { { test_root_name, sizeof test_root_name }, BR_X509_TA_CA,
    { BR_KEYTYPE_EC, { .ec = { BR_EC_secp256r1, test_root_key, sizeof test_root_key } } } };
#define SECRET_ANCHORS (&test_root)
#define SECRET_ANCHORS_COUNT 1""")
