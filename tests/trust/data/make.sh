#!/bin/sh
# Makes the keys and provenance files in this folder with GnuPG, at times long past. No secret key is kept.
# Keys: NAME.gpg; what each signed: NAME.prov, and NAME.late.prov a year after its revocation or end.
set -eu
cd "$(dirname "$0")"
GNUPGHOME=$(mktemp -d) && export GNUPGHOME
trap 'gpgconf --kill gpg-agent; rm -rf "$GNUPGHOME"' EXIT
digest=$(printf package | sha256sum | cut -d' ' -f1)
text() { printf 'apiVersion: v2\nname: app\nversion: 1.0.0\n\n...\nfiles:\n  app-1.0.0.tgz: sha256:%s\n' "$digest"; }
at() { date=$1 && shift && gpg --batch --quiet --no-tty --faked-system-time "${date}0101T000000" "$@" 2>/dev/null; }
make() { at 2020 --passphrase '' --quick-gen-key "$1 <$1@example.com>" "$2" "$3" "$4"; }
sign() { date=$1 name=$2 file=$3 && shift 3 && text | at "$date" --local-user "$name@example.com" "$@" --clearsign >"$file"; }
of() { gpg --batch --list-keys --with-colons "$1@example.com" 2>/dev/null | awk -F: '/^fpr/ {print $10; exit}'; }
export_() { gpg --batch --export "$1@example.com" >"$1.gpg"; }

make rsa rsa2048 sign never
sign 2021 rsa rsa.prov
sign 2021 rsa sha1.prov --digest-algo SHA1
export_ rsa
make other ed25519 sign never
sign 2021 rsa two.prov --local-user other@example.com
export_ other
gpg --batch --armor --export >both.asc

sign 2098 other future.prov

make expired ed25519 sign never
sign 2021 expired expired.prov
sign 2023 expired expired.late.prov
at 2020 --quick-set-expire "$(of expired)" 20220101T000000
export_ expired

# The reasons of GnuPG: 0 none, 1 compromised, 2 superseded, 3 no longer used.
for reason in 0 1 2 3; do
    make "revoked$reason" ed25519 sign never
    sign 2021 "revoked$reason" "revoked$reason.prov"
    sign 2023 "revoked$reason" "revoked$reason.late.prov"
    printf 'y\n%s\n\ny\n' "$reason" | gpg --quiet --command-fd 0 --no-tty --faked-system-time 20220101T000000 \
        --gen-revoke "revoked$reason@example.com" 2>/dev/null | gpg --batch --quiet --import 2>/dev/null
    export_ "revoked$reason"
done

make subkey ed25519 cert never
at 2020 --passphrase '' --quick-add-key "$(of subkey)" ed25519 sign never
sign 2021 subkey subkey.prov
export_ subkey
printf 'key 1\nrevkey\ny\n1\n\ny\nsave\n' | gpg --quiet --command-fd 0 --no-tty --faked-system-time 20220101T000000 \
    --edit-key subkey@example.com >/dev/null 2>&1
gpg --batch --export subkey@example.com >subkey.revoked.gpg
