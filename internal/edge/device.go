package edge

import "strings"

// A Device is what a user agent says of itself, in two words that people know.
type Device struct {
	Browser, System string // "" when it is not known
	Icon            string // of the pages
}

// browsers and systems are in the order in which to look: the later ones stand in the
// names of the earlier ones too.
var (
	browsers = [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Vivaldi/", "Vivaldi"},
		{"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}}
	systems = [][3]string{{"iPhone", "iPhone", "phone"}, {"iPad", "iPad", "phone"}, {"Android", "Android", "phone"}, {"Windows", "Windows", "laptop"},
		{"Macintosh", "macOS", "laptop"}, {"CrOS", "ChromeOS", "laptop"}, {"SmartTV", "TV", "tv"}, {"Linux", "Linux", "laptop"}}
)

// DeviceOf reads a user agent.
func DeviceOf(agent string) Device {
	d := Device{Icon: "laptop"}
	for _, b := range browsers {
		if strings.Contains(agent, b[0]) {
			d.Browser = b[1]
			break
		}
	}
	for _, s := range systems {
		if strings.Contains(agent, s[0]) {
			d.System, d.Icon = s[1], s[2]
			break
		}
	}
	return d
}

// String is the device in English, for programs; "" when nothing of it is known.
func (d Device) String() string {
	if d.Browser != "" && d.System != "" {
		return d.Browser + " on " + d.System
	}
	return d.Browser + d.System
}
