// SPDX-License-Identifier: MIT
// A Node server that has nothing wrong with it: BODY_FILE PORT
'use strict'
const body = require('fs').readFileSync(process.argv[2])
const head = { 'Content-Length': body.length }
require('http').createServer((request, response) => {
	response.writeHead(200, head)
	response.end(body)
}).listen(Number(process.argv[3]), '127.0.0.1')
