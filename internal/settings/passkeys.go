package settings

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"pocketid/internal/fault"
)

// What is said about the settings of passkeys.
var (
	ErrRelatedOrigin = fault.New(fault.Invalid, "related_origin_malformed").At("relatedOrigins")
	ErrDeniedModel   = fault.New(fault.Invalid, "denied_model_malformed").At("webauthnDeniedAaguids")
)

const (
	maxRelatedOrigins = 20
	maxDeniedModels   = 100
	// ClientLabels is how many labels browsers take into account at least
	// (WebAuthn §5.11): a warning is due above.
	ClientLabels = 5
)

// CheckRelatedOrigins returns the origins as browsers write them, each once, or
// ErrRelatedOrigin. An origin is https, a host name with a dot, and perhaps a
// port: nothing else can be the origin of a page that uses our passkeys.
func CheckRelatedOrigins(list []string) ([]string, error) {
	out := []string{}
	for _, typed := range list {
		typed = strings.TrimSpace(typed)
		if typed == "" {
			continue
		}
		o, ok := relatedOrigin(typed)
		if !ok || len(out) >= maxRelatedOrigins {
			return nil, ErrRelatedOrigin.With("origin", typed)
		}
		if !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out, nil
}

// relatedOrigin is s as a browser writes an origin (HTML, 7.1.1).
func relatedOrigin(s string) (string, bool) {
	s = strings.ToLower(s)
	rest, ok := strings.CutPrefix(s, "https://")
	rest = strings.TrimSuffix(rest, "/")
	if !ok || len(s) > 300 {
		return "", false
	}
	host, port, hasPort := strings.Cut(rest, ":")
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", false
		}
	}
	if !hostName(host) {
		return "", false
	}
	if !hasPort || port == "443" {
		return "https://" + host, true
	}
	return "https://" + host + ":" + port, true
}

// hostName reports whether s is a name of at least two labels of letters,
// digits and hyphens, and no address of numbers in any spelling.
func hostName(s string) bool {
	labels := strings.Split(s, ".")
	if len(s) > 253 || len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.ContainsFunc(l, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }) {
			return false
		}
	}
	// The last label of an address in numbers begins with a digit (URL, 3.5), that of a name does not.
	if last := labels[len(labels)-1]; last[0] >= '0' && last[0] <= '9' {
		return false
	}
	_, err := netip.ParseAddr(s)
	return err != nil
}

// OriginLabels counts what browsers count before they stop reading related
// origins (WebAuthn §5.11.1): the first label of each registrable domain. Which
// part of a name can be registered is on a public list that is not here, so it
// is guessed; it is a warning that hangs on it.
func OriginLabels(origins []string) int {
	seen := map[string]bool{}
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil {
			continue
		}
		labels := strings.Split(u.Hostname(), ".")
		n := len(labels)
		switch {
		case n >= 3 && len(labels[n-1]) == 2 && len(labels[n-2]) <= 3: // example.co.uk
			seen[labels[n-3]] = true
		case n >= 2:
			seen[labels[n-2]] = true
		}
	}
	return len(seen)
}

// CheckDeniedModels returns the AAGUIDs in lower case with hyphens, each once,
// or ErrDeniedModel.
func CheckDeniedModels(list []string) ([]string, error) {
	out := []string{}
	for _, typed := range list {
		typed = strings.TrimSpace(typed)
		if typed == "" {
			continue
		}
		h := strings.ReplaceAll(strings.ToLower(typed), "-", "")
		if len(h) != 32 || strings.Trim(h, "0123456789abcdef") != "" || len(out) >= maxDeniedModels {
			return nil, ErrDeniedModel.With("model", typed)
		}
		id := h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}
