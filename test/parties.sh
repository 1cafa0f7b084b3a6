#!/usr/bin/env bash
# Lets relying parties of others sign in at this provider: the npm package openid-client,
# and Apache with mod_auth_openidc from Debian. Installs what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
missing=()
[ -e /usr/lib/apache2/modules/mod_auth_openidc.so ] || missing+=(apache2-bin libapache2-mod-auth-openidc)
command -v npm >/dev/null || missing+=(npm)
command -v chromium >/dev/null || missing+=(chromium)
if [ ${#missing[@]} -gt 0 ]; then
	if [ "$(id -u)" != 0 ] || ! [ -e /etc/debian_version ]; then
		echo "These tests need: ${missing[*]}. On Debian or Ubuntu: sudo apt-get install ${missing[*]}" >&2
		exit 1
	fi
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
exec ${GO:-go} test -count=1 -v -tags parties ./test/browser -run '^(TestOpenIDClient|TestApacheModAuthOpenIDC)$'
