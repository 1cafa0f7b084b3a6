package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A wire is one connection that is kept, as a client's pool keeps it. It speaks
// just enough of HTTP/1.1, because what the load costs is taken from the same
// processors as what it measures.
type wire struct {
	address string // where to connect to
	host    string // whom to ask for
	headers string // lines that go with each request

	conn net.Conn
	in   *bufio.Reader
	out  []byte
	body []byte
}

// patience is how long an answer may take.
const patience = 30 * time.Second

// An answer is valid until the next request on its wire.
type answer struct {
	status   int
	location string
	cookies  []string // name=value
	body     []byte
}

// cookie is the value of a cookie that the answer sets, or "".
func (a *answer) cookie(name string) string {
	for _, c := range a.cookies {
		if v, ok := strings.CutPrefix(c, name+"="); ok {
			return v
		}
	}
	return ""
}

// expect refuses every status but one.
func (a *answer) expect(status int) error {
	if a.status == status {
		return nil
	}
	return fmt.Errorf("the status is %d, not %d: %.300s", a.status, status, a.body)
}

// get asks for a path; headers are more lines, each with its end.
func (w *wire) get(path, headers string) (answer, error) { return w.ask("GET", path, headers, "") }

// form posts a form.
func (w *wire) form(path, headers string, form url.Values) (answer, error) {
	return w.ask("POST", path, headers+"Content-Type: application/x-www-form-urlencoded\r\n", form.Encode())
}

// json posts JSON.
func (w *wire) json(path, headers, body string) (answer, error) {
	return w.ask("POST", path, headers+"Content-Type: application/json\r\n", body)
}

// ask makes a request. A connection that failed is not used again.
func (w *wire) ask(method, path, headers, body string) (answer, error) {
	a, err := w.exchange(method, path, headers, body)
	if err != nil {
		w.close()
		return answer{}, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return a, nil
}

func (w *wire) exchange(method, path, headers, body string) (answer, error) {
	if w.conn == nil {
		c, err := net.DialTimeout("tcp", w.address, patience)
		if err != nil {
			return answer{}, err
		}
		w.conn, w.in = c, bufio.NewReaderSize(c, 8<<10)
	}
	out := append(w.out[:0], method...)
	out = append(append(append(out, ' '), path...), " HTTP/1.1\r\nHost: "...)
	out = append(append(append(append(out, w.host...), "\r\n"...), w.headers...), headers...)
	if method == "POST" {
		out = append(strconv.AppendInt(append(out, "Content-Length: "...), int64(len(body)), 10), "\r\n"...)
	}
	out = append(append(out, "\r\n"...), body...)
	w.out = out
	if err := w.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return answer{}, err
	}
	if _, err := w.conn.Write(out); err != nil {
		return answer{}, err
	}
	return w.read()
}

// read reads one answer. Those of the server have a length, or no body.
func (w *wire) read() (answer, error) {
	line, err := w.line()
	if err != nil {
		return answer{}, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return answer{}, fmt.Errorf("%.40q is no answer", line)
	}
	var a answer
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return answer{}, err
	}
	length, last := -1, false
	for {
		if line, err = w.line(); err != nil {
			return answer{}, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch string(name) {
		case "Content-Length":
			if length, err = strconv.Atoi(string(value)); err != nil {
				return answer{}, err
			}
		case "Location":
			a.location = string(value)
		case "Set-Cookie":
			cookie, _, _ := strings.Cut(string(value), ";")
			a.cookies = append(a.cookies, cookie)
		case "Connection":
			last = string(value) == "close"
		}
	}
	switch {
	case a.status == 204 || a.status == 304:
	case length < 0:
		return answer{}, errors.New("the answer has no length")
	default:
		if cap(w.body) < length {
			w.body = make([]byte, length)
		}
		a.body = w.body[:length]
		if _, err := io.ReadFull(w.in, a.body); err != nil {
			return answer{}, err
		}
	}
	if last {
		w.close()
	}
	return a, nil
}

// line reads a line without its end.
func (w *wire) line() ([]byte, error) {
	line, err := w.in.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

// close ends the connection; the next request opens another.
func (w *wire) close() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}
