// SPDX-License-Identifier: MIT
/*
 * A small HTTP server on Node: files of a directory, and what the tests of this directory ask
 * for. Says "port N" when it listens; ends on SIGTERM as Node does, without destructors.
 *
 *	/NAME		a file of the directory (argument 2)
 *	/fd		the descriptor of this connection
 *	/file?N		opens a file, writes N times 100 bytes to it synchronously, keeps it open
 *	/child?N	sends N times 100 bytes through a child (cat), whose pipes are socket pairs
 *			on numbers that were files before
 */
'use strict';
const child_process = require('child_process');
const fs = require('fs');
const http = require('http');
const path = require('path');

const files = new Map(fs.readdirSync(process.argv[2]).map(
	(name) => [name, fs.readFileSync(path.join(process.argv[2], name))]));

function newFile() {
	return fs.openSync(path.join(fs.mkdtempSync(path.join(process.cwd(), 'file-')), 'x'), 'w');
}

const commands = {
	fd: (request, count, answer) => answer({ fd: request.socket._handle.fd }),
	file: (request, count, answer) => {
		const fd = newFile();

		for (let i = 0; i < count; i++)
			fs.writeSync(fd, Buffer.alloc(100, 'x'));
		answer({ fd, bytes: fs.fstatSync(fd).size });
	},
	child: (request, count, answer) => {
		const used = Array.from({ length: 8 }, newFile);
		let bytes = 0;

		used.forEach((fd) => fs.writeSync(fd, 'x'));
		used.forEach((fd) => fs.closeSync(fd));
		const child = child_process.spawn('/bin/cat', [], { stdio: ['pipe', 'pipe', 'inherit'] });
		child.stdout.on('data', (piece) => { bytes += piece.length; });
		child.on('close', () => answer({ bytes }));
		for (let i = 0; i < count; i++)
			child.stdin.write(Buffer.alloc(100, 'x'));
		child.stdin.end();
	},
};

http.createServer((request, response) => {
	const [name, argument] = request.url.slice(1).split('?');
	const send = (body) => {
		response.writeHead(200, { 'Content-Length': body.length });
		response.end(body);
	};

	if (files.has(name))
		send(files.get(name));
	else
		commands[name](request, Number(argument),
			(result) => send(Buffer.from(JSON.stringify(result))));
}).listen(0, '127.0.0.1', function () {
	process.stdout.write(`port ${this.address().port}\n`);
});
