package i18n

import (
	"os"
	"regexp"
	"testing"
)

// One thing has one word in Chinese, and people are spoken to in one way: what stands on the
// left is what is not said, on the right what is.
func TestOneWordForOneThing(t *testing.T) {
	b, err := os.ReadFile("locales/zh-CN.json")
	if err != nil {
		t.Fatal(err)
	}
	for not, say := range map[string]string{"您": "你", "群组": "用户组", "电子邮件": "邮箱", "帐": "账", "账号": "账户", "登陆": "登录", "登出|注销": "退出登录", "凭证": "凭据", "应用程序": "应用"} {
		if found := regexp.MustCompile(`(?m)^.*(?:` + not + `).*$`).Find(b); found != nil {
			t.Errorf("say %s: %s", say, found)
		}
	}
}
