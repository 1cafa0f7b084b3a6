// Command device asks to be let in as a television would (RFC 8628): it shows a code,
// waits until somebody has answered on another screen, and says who that was.
//
//	go run ./examples/device -issuer http://localhost:1411 -client <id>
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

func main() {
	issuer := flag.String("issuer", "http://localhost:1411", "address of the OpenID provider")
	client := flag.String("client", "", "id of the client, which is public")
	scope := flag.String("scope", "openid profile", "what to ask for")
	flag.Parse()
	if err := run(strings.TrimSuffix(*issuer, "/"), *client, *scope); err != nil {
		fmt.Fprintln(os.Stderr, "device:", err)
		os.Exit(1)
	}
}

// metadata is what of the discovery document a device needs.
type metadata struct {
	Device   string `json:"device_authorization_endpoint"`
	Token    string `json:"token_endpoint"`
	Userinfo string `json:"userinfo_endpoint"`
}

// codes are what the device is told (RFC 8628 §3.2).
type codes struct {
	Device   string `json:"device_code"`
	User     string `json:"user_code"`
	Page     string `json:"verification_uri"`
	Link     string `json:"verification_uri_complete"`
	Expires  int    `json:"expires_in"`
	Interval int    `json:"interval"`
}

// answer is what the token endpoint says.
type answer struct {
	Access string `json:"access_token"`
	Error  string `json:"error"`
}

func run(issuer, client, scope string) error {
	var m metadata
	if err := get(issuer+"/.well-known/openid-configuration", "", &m); err != nil {
		return err
	}
	k := codes{Interval: 5} // which it is when nothing is said
	if err := post(m.Device, url.Values{"client_id": {client}, "scope": {scope}}, &k); err != nil {
		return err
	}
	if k.Device == "" {
		return fmt.Errorf("%s gives no code: is the client known, and public?", m.Device)
	}
	fmt.Printf("Open %s and type %s\nor open %s\n", k.Page, k.User, k.Link)

	wait, end := time.Duration(k.Interval)*time.Second, time.Now().Add(time.Duration(k.Expires)*time.Second)
	for time.Now().Before(end) {
		time.Sleep(wait)
		var a answer
		err := post(m.Token, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {k.Device}, "client_id": {client}}, &a)
		switch {
		case err != nil: // a network that is away for a moment: ask less often (RFC 8628 §3.5)
			wait *= 2
		case a.Error == "authorization_pending":
		case a.Error == "slow_down":
			wait += 5 * time.Second
		case a.Error != "":
			return fmt.Errorf("the answer is no: %s", a.Error)
		default:
			var who map[string]any
			if err := get(m.Userinfo, a.Access, &who); err != nil {
				return err
			}
			said, err := json.MarshalIndent(who, "", "  ")
			fmt.Printf("Connected to %s\n", said)
			return err
		}
	}
	return fmt.Errorf("nobody answered in time")
}

func get(address, token string, into any) error {
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return read(http.DefaultClient.Do(r))(into)
}

func post(address string, form url.Values, into any) error {
	return read(http.PostForm(address, form))(into)
}

// read reads an answer, which is JSON whatever it says.
func read(res *http.Response, err error) func(any) error {
	return func(into any) error {
		if err != nil {
			return err
		}
		defer res.Body.Close()
		return json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(into)
	}
}
