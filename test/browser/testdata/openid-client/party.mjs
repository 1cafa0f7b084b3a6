// A relying party made of the npm package openid-client, as its documentation shows it:
// discovery, a code with PKCE, the user's claims, a refresh, and the way out. What goes
// wrong is shown on the page and ends with the status 500.
//
//   node party.mjs ISSUER CLIENT_ID CLIENT_SECRET PORT
import http from 'node:http'
import * as client from 'openid-client'

const [issuer, id, secret, port] = process.argv.slice(2)
const self = `http://localhost:${port}`
const config = await client.discovery(new URL(issuer), id, secret)
const waiting = new Map() // state to verifier and nonce

async function signIn(pushed) {
  const verifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const nonce = client.randomNonce()
  waiting.set(state, { verifier, nonce })
  const parameters = {
    redirect_uri: `${self}/callback`, scope: 'openid profile email offline_access', state, nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  }
  return pushed ? client.buildAuthorizationUrlWithPAR(config, parameters) : client.buildAuthorizationUrl(config, parameters)
}

async function callback(url) {
  const state = url.searchParams.get('state')
  const { verifier, nonce } = waiting.get(state) ?? {}
  waiting.delete(state)
  const tokens = await client.authorizationCodeGrant(config, url, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true })
  const { sub } = tokens.claims()
  const user = await client.fetchUserInfo(config, tokens.access_token, sub)
  const again = await client.refreshTokenGrant(config, tokens.refresh_token)
  const told = { email: user.email, name: user.name, refreshed: Boolean(again.access_token) }
  if (config.serverMetadata().introspection_endpoint) {
    told.active = (await client.tokenIntrospection(config, again.access_token)).active
  }
  if (config.serverMetadata().revocation_endpoint) {
    await client.tokenRevocation(config, again.access_token)
    told.revoked = true
    if ('active' in told) told.after = (await client.tokenIntrospection(config, again.access_token)).active
  }
  const out = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: `${self}/out` })
  return `<pre id="told">${JSON.stringify(told)}</pre><a id="out" href="${out.href.replaceAll('&', '&amp;')}">out</a>`
}

http.createServer(async (request, answer) => {
  const url = new URL(request.url, self)
  answer.setHeader('Content-Type', 'text/html')
  try {
    switch (url.pathname) {
      case '/in': case '/pushed':
        answer.writeHead(303, { Location: (await signIn(url.pathname === '/pushed')).href }).end()
        break
      case '/callback':
        answer.end(await callback(url))
        break
      default:
        answer.end('<p id="told">nobody is signed in</p>')
    }
  } catch (fault) {
    console.error(fault)
    answer.writeHead(500).end(`<p id="fault">${fault}</p>`)
  }
}).listen(Number(port), 'localhost', () => console.log('ready'))
