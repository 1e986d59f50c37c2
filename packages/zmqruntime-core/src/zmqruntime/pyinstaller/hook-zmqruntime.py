"""What a frozen program needs of ``zmqruntime-core``: the modules that run in processes of their own."""

from PyInstaller.utils.hooks import collect_data_files

hiddenimports = ["zmqruntime.server_process"]
datas = collect_data_files("zmqruntime")
