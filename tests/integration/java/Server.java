// SPDX-License-Identifier: MIT
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.HashMap;
import java.util.concurrent.Executors;

/*
 * java Server.java DIRECTORY http|nio: serves the files of a directory, with the JDK's HttpServer
 * (blocking writes of a pool of threads) or with a selector and non-blocking writes. Says "port N".
 *
 *	/NAME	a file
 *	/run	a child process; with -Djdk.lang.Process.launchMechanism=VFORK made by vfork
 */
class Server {
	static final Map<String, byte[]> files = new HashMap<>();

	public static void main(String[] arguments) throws Exception {
		try (var paths = Files.list(Path.of(arguments[0]))) {
			for (Path path : (Iterable<Path>) paths::iterator)
				files.put("/" + path.getFileName(), Files.readAllBytes(path));
		}
		if (arguments[1].equals("http"))
			serveHttp();
		else
			serveNio();
	}

	static byte[] answer(String path) throws IOException {
		byte[] body = files.get(path);
		return body != null ? body : runChild();
	}

	static byte[] runChild() throws IOException {
		Process child = new ProcessBuilder("/bin/echo", "child").redirectErrorStream(true).start();
		return child.getInputStream().readAllBytes();
	}

	static void serveHttp() throws IOException {
		InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
		HttpServer server = HttpServer.create(any, 0);

		server.createContext("/", (HttpExchange exchange) -> {
			byte[] body = answer(exchange.getRequestURI().getPath());

			exchange.sendResponseHeaders(200, body.length);
			try (OutputStream out = exchange.getResponseBody()) {
				out.write(body);
			}
		});
		server.setExecutor(Executors.newFixedThreadPool(8));
		server.start();
		System.out.println("port " + server.getAddress().getPort());
	}

	static class Client {
		StringBuilder request = new StringBuilder();
		ByteBuffer answer;
	}

	static void serveNio() throws IOException {
		Selector selector = Selector.open();
		ServerSocketChannel listener = ServerSocketChannel.open();

		listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
		listener.configureBlocking(false);
		listener.register(selector, SelectionKey.OP_ACCEPT);
		System.out.println("port " + listener.socket().getLocalPort());
		while (true) {
			selector.select();
			for (var key : selector.selectedKeys()) {
				try {
					handle(selector, key);
				} catch (IOException gone) {
					key.channel().close();
				}
			}
			selector.selectedKeys().clear();
		}
	}

	static void handle(Selector selector, SelectionKey key) throws IOException {
		if (key.isAcceptable()) {
			SocketChannel channel = ((ServerSocketChannel) key.channel()).accept();

			channel.configureBlocking(false);
			channel.register(selector, SelectionKey.OP_READ, new Client());
			return;
		}
		SocketChannel channel = (SocketChannel) key.channel();
		Client client = (Client) key.attachment();

		if (key.isReadable() && !read(channel, client)) {
			channel.close();
			return;
		}
		if (client.answer != null) {
			channel.write(client.answer);
			if (!client.answer.hasRemaining())
				client.answer = null;
		}
		key.interestOps(client.answer == null ? SelectionKey.OP_READ : SelectionKey.OP_WRITE);
	}

	/* One request after the other: these clients do not pipeline. */
	static boolean read(SocketChannel channel, Client client) throws IOException {
		ByteBuffer piece = ByteBuffer.allocate(4096);

		if (channel.read(piece) < 0)
			return false;
		client.request.append(new String(piece.array(), 0, piece.position(),
						 StandardCharsets.US_ASCII));
		if (client.request.indexOf("\r\n\r\n") < 0)
			return true;
		byte[] body = answer(client.request.toString().split(" ")[1]);
		byte[] head = ("HTTP/1.1 200 OK\r\nContent-Length: " + body.length + "\r\n\r\n")
			.getBytes(StandardCharsets.US_ASCII);
		client.answer = ByteBuffer.allocate(head.length + body.length).put(head).put(body).flip();
		client.request.setLength(0);
		return true;
	}
}
