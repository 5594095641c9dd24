package pmi_spark_tests;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.CopyOption;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/**
 * An object store in a local folder, store://BUCKET/KEY in ROOT/BUCKET/KEY.
 *
 * A put appears at its close, whole. A rename is a copy and a deletion, of a folder file by file, and over a file it is
 * a deletion before that. There is no append, no link, no FileContext. It keeps a list of every change made, and can be
 * told after how many it goes away: from then on nothing can be changed, as if its user had been killed. It has to be
 * compiled by Janino, which knows neither lambdas nor inferred type arguments.
 */
public class FolderStore extends FileSystem {
    public static final String CONDITIONAL = "fs.option.create.conditional.overwrite";
    private static final List<String> changes = new ArrayList<String>();
    private static int changesLeft = Integer.MAX_VALUE;
    private static boolean conditional = true;

    private final RawLocalFileSystem local = new RawLocalFileSystem();
    private URI uri;
    private File root;

    /** Forget the changes made, and go away after some more. */
    public static synchronized void goAwayAfter(int changesFromNow) {
        changes.clear();
        changesLeft = changesFromNow;
    }

    public static synchronized String changesMade() {
        StringBuilder lines = new StringBuilder();
        for (int place = 0; place < changes.size(); place++) {
            lines.append((String) changes.get(place)).append("\n");
        }
        return lines.toString();
    }

    /** Whether a put can be refused, at its end, where there is an object. */
    public static synchronized void setConditional(boolean can) {
        conditional = can;
    }

    private static synchronized void change(String what, Path path) throws IOException {
        if (changesLeft <= 0) {
            throw new IOException("the store is away: " + what + " " + path);
        }
        changesLeft--;
        changes.add(what + " " + path);
    }

    public String getScheme() {
        return "store";
    }

    public void initialize(URI name, Configuration configuration) throws IOException {
        super.initialize(name, configuration);
        setConf(configuration);
        uri = URI.create("store://" + name.getAuthority());
        root = new File(configuration.get("fs.store.root"), name.getAuthority());
        root.mkdirs();
        local.initialize(URI.create("file:///"), configuration);
    }

    public URI getUri() {
        return uri;
    }

    public Path getWorkingDirectory() {
        return new Path(uri.toString() + "/");
    }

    public void setWorkingDirectory(Path path) {
    }

    private File file(Path path) {
        return new File(root, path.toUri().getPath());
    }

    public boolean hasPathCapability(Path path, String capability) throws IOException {
        return CONDITIONAL.equals(capability) ? conditional : super.hasPathCapability(path, capability);
    }

    public FileStatus getFileStatus(Path path) throws IOException {
        File found = file(path);
        if (!found.exists()) {
            throw new FileNotFoundException(path.toString());
        }
        boolean isFolder = found.isDirectory();
        long size = isFolder ? 0 : found.length();
        return new FileStatus(size, isFolder, 1, 32 << 20, found.lastModified(), makeQualified(path));
    }

    public FileStatus[] listStatus(Path path) throws IOException {
        FileStatus own = getFileStatus(path);
        if (!own.isDirectory()) {
            return new FileStatus[] {own};
        }
        String[] names = file(path).list();
        Arrays.sort(names);
        FileStatus[] found = new FileStatus[names.length];
        for (int place = 0; place < names.length; place++) {
            found[place] = getFileStatus(new Path(path, names[place]));
        }
        return found;
    }

    public boolean mkdirs(Path path, FsPermission permission) throws IOException {
        file(path).mkdirs();
        return true;
    }

    public FSDataInputStream open(Path path, int bufferSize) throws IOException {
        return local.open(new Path("file:" + file(path).getPath()), bufferSize);
    }

    public FSDataOutputStream append(Path path, int bufferSize, Progressable progress) throws IOException {
        throw new UnsupportedOperationException("an object is written once");
    }

    public FSDataOutputStream create(
            Path path, FsPermission permission, boolean overwrite, int bufferSize, short replication, long blockSize,
            Progressable progress) throws IOException {
        if (!overwrite && file(path).exists()) {
            throw new FileAlreadyExistsException(path.toString());
        }
        return new FSDataOutputStream(new Put(path, false), statistics);
    }

    public FSDataOutputStreamBuilder createFile(Path path) {
        return new Builder(this, path);
    }

    /** Takes the one option there is, and puts over anything without it. */
    private class Builder extends FSDataOutputStreamBuilder {
        Builder(FileSystem system, Path path) {
            super(system, path);
        }

        public FSDataOutputStreamBuilder getThisBuilder() {
            return this;
        }

        public FSDataOutputStream build() throws IOException {
            return new FSDataOutputStream(new Put(getPath(), getOptions().getBoolean(CONDITIONAL, false)), null);
        }
    }

    /** An object under way. */
    private class Put extends ByteArrayOutputStream {
        private final Path path;
        private final boolean onlyNew;
        private boolean isClosed = false;

        Put(Path path, boolean onlyNew) {
            this.path = path;
            this.onlyNew = onlyNew;
        }

        public void close() throws IOException {
            if (isClosed) {
                return;
            }
            isClosed = true;
            synchronized (FolderStore.class) {
                if (onlyNew && file(path).exists()) {
                    throw new IOException("412 Precondition Failed");
                }
                change("put", path);
                place(toByteArray(), path);
            }
        }
    }

    private void place(byte[] content, Path path) throws IOException {
        File aside = new File(root.getParentFile(), ".put-" + UUID.randomUUID());
        Files.write(aside.toPath(), content, new java.nio.file.OpenOption[0]);
        file(path).getParentFile().mkdirs();
        Files.move(aside.toPath(), file(path).toPath(), new CopyOption[] {StandardCopyOption.ATOMIC_MOVE});
    }

    public boolean rename(Path source, Path target) throws IOException {
        if (!file(source).exists()) {
            return false;
        }
        move(source, file(target).isDirectory() ? new Path(target, source.getName()) : target);
        return true;
    }

    private void move(Path source, Path target) throws IOException {
        if (file(source).isDirectory()) {
            file(target).mkdirs();
            FileStatus[] found = listStatus(source);
            for (int place = 0; place < found.length; place++) {
                move(found[place].getPath(), new Path(target, found[place].getPath().getName()));
            }
        } else {
            if (file(target).exists()) {
                delete(target, false);
            }
            change("copy", target);
            place(Files.readAllBytes(file(source).toPath()), target);
        }
        delete(source, false);
    }

    public boolean delete(Path path, boolean recursive) throws IOException {
        if (!file(path).exists()) {
            return false;
        }
        if (file(path).isDirectory()) {
            FileStatus[] found = listStatus(path);
            if (found.length > 0 && !recursive) {
                throw new IOException(path + " is not empty");
            }
            for (int place = 0; place < found.length; place++) {
                delete(found[place].getPath(), true);
            }
        } else {
            change("delete", path);
        }
        return file(path).delete();
    }
}
